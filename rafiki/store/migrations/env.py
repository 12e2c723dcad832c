"""What Alembic runs: the migrations, on the connection that `upgrade` handed over."""

from alembic import context

from rafiki.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by rebuilding it
)
with context.begin_transaction():
    context.run_migrations()
