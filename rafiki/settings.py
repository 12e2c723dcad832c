"""The server side's settings, and the only reader of the environment there.

A flag wins over an environment variable (`RAFIKI_<NAME>`), that over `rafiki.toml` in the working directory, that
over the default. Runners get theirs from the server as JSON, so that both always agree.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rafiki.gpus import Choice, Inventory, choose, parse_choice, taken_as_given


def _n_usable_cores() -> int:
    return len(os.sched_getaffinity(0))


def usable_memory_bytes() -> int:
    """This machine's memory, or the container's where that is less."""
    sizes = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            sizes.append(int(Path(limit).read_text()))
        except (OSError, ValueError):  # not there, or `max`
            continue
    return min(sizes)


#: They stand on no command line: an address of an index may hold a password.
_SECRETS = {
    "superadmin_password",
    "package_index_url",
    "package_extra_index_urls",
    "package_find_links",
    "package_proxy",
}


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="RAFIKI_", toml_file="rafiki.toml", extra="ignore")

    host: str = Field("127.0.0.1", description="address that the Admin and the predictors listen on")
    port: int = Field(3000, ge=0, le=65535, description="port of the Admin; 0 takes a free one")
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("rafiki")), description="folder of everything kept"
    )
    superadmin_email: str = Field(
        "superadmin@rafiki",
        validation_alias=AliasChoices("RAFIKI_SUPERADMIN_EMAIL", "SUPERADMIN_EMAIL"),
        description="who the superadmin is from the first start on",
    )
    superadmin_password: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("RAFIKI_SUPERADMIN_PASSWORD", "SUPERADMIN_PASSWORD"),
        description="first password of the superadmin; generated where it is not given",
    )
    public_host: str | None = Field(None, description="host part of predictor addresses (default: `host`)")
    predictor_ports: str = Field("30000-30999", description="ports of predictors, FIRST-LAST")
    cores: int = Field(default_factory=_n_usable_cores, ge=1, description="cores that trials may use")
    gpus: Annotated[Choice, NoDecode, BeforeValidator(parse_choice)] = Field(
        "all", description="GPUs that workers may use: `all`, how many, or which ones (`0,2`; one alone: `2,`)"
    )
    token_lifetime_s: float = Field(3600.0, gt=0, description="how long a sign-in lasts")
    max_upload_bytes: int = Field(20 * 2**30, gt=0, description="largest upload that is taken")
    trial_time_limit_s: float = Field(24 * 3600.0, gt=0, description="longest that one trial may take")
    dataset_check_time_limit_s: float = Field(600.0, gt=0, description="longest that checking a dataset may take")
    model_check_time_limit_s: float = Field(300.0, gt=0, description="longest that checking a model may take")
    model_tryout_time_limit_s: float = Field(60.0, gt=0, description="longest that a trial on generated data may take")
    environment_time_limit_s: float = Field(1800.0, gt=0, description="longest that building an environment may take")
    member_load_time_limit_s: float = Field(600.0, gt=0, description="longest that loading a member may take")
    keep_params_of_best: int = Field(
        10, ge=1, description="trials per model and job whose parameters are kept, best first (the latest's always are)"
    )
    max_failures_in_row: int = Field(3, ge=1, description="failed trials in a row before a model is given up")
    predict_time_limit_s: float = Field(30.0, gt=0, description="deadline of one prediction request")
    max_predict_body_bytes: int = Field(64 * 2**20, gt=0, description="largest prediction request that is taken")
    server_grace_s: float = Field(600.0, gt=0, description="how long runners go on while there is no server")

    # What users' code may see and use.
    confinement: Literal["auto", "required", "off"] = Field(
        "auto", description="confine users' code as far as this machine can; refuse to start where it cannot; do not"
    )
    worker_memory_limit_bytes: int = Field(
        default_factory=lambda: usable_memory_bytes() * 4 // 5, gt=0, description="resident memory of one worker"
    )
    worker_n_processes: int = Field(
        default_factory=lambda: max(1024, 16 * (os.cpu_count() or 1)),
        gt=0,
        description="processes and threads of one worker",
    )
    worker_n_open_files: int = Field(4096, gt=0, description="open files of one process of a worker")
    worker_scratch_bytes: int = Field(20 * 2**30, gt=0, description="files that one worker writes")
    worker_output_bytes: int = Field(64 * 2**20, gt=0, description="what one trial logs and prints")
    worker_allow_network: str = Field(
        "", description="ids of models whose workers have network, separated by commas; * for all"
    )
    worker_readable: str = Field(
        "", description="files and folders of this machine that every worker may read, separated by colons"
    )
    trial_cpu_limit_s: float | None = Field(None, gt=0, description="CPU time that one trial may take per core")

    container_engine: str | None = Field(
        None,
        validation_alias=AliasChoices("RAFIKI_CONTAINER_ENGINE", "CONTAINER_HOST", "DOCKER_HOST", "container_engine"),
        description="socket of the container engine, such as unix:///run/podman/podman.sock (default: found), or off",
    )

    # Where the packages of models' environments come from. What is not set here comes from uv's own variables (UV_*),
    # and what those do not say, from pip's (PIP_INDEX_URL, PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, ... and pip.conf).
    package_index_url: SecretStr | None = Field(None, description="index of packages (default: PyPI)")
    package_extra_index_urls: SecretStr | None = Field(None, description="further indexes, separated by spaces")
    package_find_links: SecretStr | None = Field(None, description="folders or pages of wheels, separated by spaces")
    package_proxy: SecretStr | None = Field(None, description="proxy for packages (default: HTTPS_PROXY and the like)")
    package_offline: bool = Field(False, description="use only packages that are in the cache")
    package_builds: str = Field("", description="packages that may be built from source, separated by spaces or commas")
    package_cache_dir: Path | None = Field(
        None, description="cache of packages (default: UV_CACHE_DIR, else in the user's cache folder)"
    )

    @field_validator("predictor_ports")
    @classmethod
    def _check_ports(cls, value: str) -> str:
        first, _, last = value.partition("-")
        if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last) < 65536):
            raise ValueError(f"predictor_ports is {value!r}, expected FIRST-LAST such as 30000-30999")
        return value

    @field_validator("data_dir", "package_cache_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def predictor_port_range(self) -> range:
        first, _, last = self.predictor_ports.partition("-")
        return range(int(first), int(last) + 1)

    @property
    def worker_readable_paths(self) -> tuple[Path, ...]:
        named = filter(None, self.worker_readable.split(os.pathsep))
        return tuple(Path(path).expanduser().absolute() for path in named)

    @property
    def gpu_indices(self) -> tuple[int, ...]:
        """The GPUs that workers may use. A server has looked which there are when it started (`server/gpus.py`);
        what nobody has looked for is taken as given.
        """
        return taken_as_given(self.gpus)

    def gpus_of(self, inventory: Inventory) -> tuple[int, ...]:
        """Which of this machine's GPUs may be used. Raises `InvalidSettingsError` where one is not there."""
        return choose(self.gpus, inventory, os.environ.get("CUDA_VISIBLE_DEVICES"))

    def allows_network(self, model_id: str) -> bool:
        allowed = set(filter(None, map(str.strip, self.worker_allow_network.split(","))))
        return model_id in allowed or "*" in allowed

    def for_runner(self) -> str:
        """JSON of what a runner needs; holds no secret, for it stands on a command line."""
        return self.model_dump_json(exclude=_SECRETS)

    @classmethod
    def from_runner_json(cls, text: str) -> Settings:
        """The exact settings that the server had, whatever this process's environment says."""
        return _RunnerSettings.model_validate_json(text)

    # Places under the data folder -------------------------------------------------------------------------------------

    @property
    def database_path(self) -> Path:
        return self.data_dir / "rafiki.db"

    @property
    def blobs_dir(self) -> Path:
        return self.data_dir / "blobs"

    @property
    def run_dir(self) -> Path:
        """Control sockets."""
        return self.data_dir / "run"

    @property
    def scratch_dir(self) -> Path:
        """One folder per job, removed with it."""
        return self.data_dir / "scratch"

    @property
    def environments_dir(self) -> Path:
        """What models run in; each is in a folder named after its content."""
        return self.data_dir / "environments"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"


class _RunnerSettings(Settings):
    model_config = SettingsConfigDict(toml_file=None)

    @classmethod
    def settings_customise_sources(cls, settings_cls: type[BaseSettings], **kwargs: Any) -> tuple[Any, ...]:  # type: ignore[override]
        return (kwargs["init_settings"],)
