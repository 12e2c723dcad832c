"""What models run in: for admins."""

from __future__ import annotations

from rafiki.client.section import Section
from rafiki.client.steps import Call, Row, part


class Environments(Section):
    def get_environments(self) -> list[Row]:
        """The environments that are built, with packages, size and last use, the most recently used first."""
        return self._run(Call[list[Row]]("GET", "/environments"))

    def delete_environment(self, environment_id: str) -> Row:
        """Removes an environment that nothing uses at the moment; it is built again where a model needs it."""
        return self._run(Call[Row]("DELETE", f"/environments/{part(environment_id)}"))
