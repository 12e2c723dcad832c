"""The server side's settings, and the only reader of the environment there.

A flag wins over an environment variable (`RAFIKI_<NAME>`), that over `rafiki.toml` in the working directory, that
over the default. Runners get theirs from the server as JSON, so that both always agree.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


def _n_usable_cores() -> int:
    return len(os.sched_getaffinity(0))


def _n_nvidia_gpus() -> int:
    """The GPUs that the NVIDIA driver lists; 0 where there is no driver."""
    try:
        return sum(1 for _ in Path("/proc/driver/nvidia/gpus").iterdir())
    except OSError:
        return 0


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="RAFIKI_", toml_file="rafiki.toml", extra="ignore")

    host: str = Field("127.0.0.1", description="address that the Admin and the predictors listen on")
    port: int = Field(3000, ge=0, le=65535, description="port of the Admin; 0 takes a free one")
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("rafiki")), description="folder of everything kept"
    )
    superadmin_email: str = Field(
        "superadmin@rafiki", validation_alias=AliasChoices("RAFIKI_SUPERADMIN_EMAIL", "SUPERADMIN_EMAIL")
    )
    superadmin_password: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("RAFIKI_SUPERADMIN_PASSWORD", "SUPERADMIN_PASSWORD"),
        description="first password of the superadmin; generated where it is not given",
    )
    public_host: str | None = Field(None, description="host part of predictor addresses (default: `host`)")
    predictor_ports: str = Field("30000-30999", description="ports of predictors, FIRST-LAST")
    cores: int = Field(default_factory=_n_usable_cores, ge=1, description="cores that trials may use")
    gpus: int = Field(default_factory=_n_nvidia_gpus, ge=0, description="GPUs that workers may use")
    token_lifetime_s: float = Field(3600.0, gt=0)
    max_upload_bytes: int = Field(20 * 2**30, gt=0, description="largest upload that is taken")
    trial_time_limit_s: float = Field(24 * 3600.0, gt=0, description="longest that one trial may take")
    dataset_check_time_limit_s: float = Field(600.0, gt=0, description="longest that checking a dataset may take")
    model_check_time_limit_s: float = Field(300.0, gt=0, description="longest that checking a model may take")
    member_load_time_limit_s: float = Field(600.0, gt=0, description="longest that loading a member may take")
    max_failures_in_row: int = Field(3, ge=1, description="failed trials in a row before a model is given up")
    predict_time_limit_s: float = Field(30.0, gt=0, description="deadline of one prediction request")
    max_predict_body_bytes: int = Field(64 * 2**20, gt=0)
    server_grace_s: float = Field(600.0, gt=0, description="how long runners go on while there is no server")

    @field_validator("predictor_ports")
    @classmethod
    def _check_ports(cls, value: str) -> str:
        first, _, last = value.partition("-")
        if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last) < 65536):
            raise ValueError(f"predictor_ports is {value!r}, expected FIRST-LAST such as 30000-30999")
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

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

    def for_runner(self) -> str:
        """JSON of what a runner needs; holds no secret, for it stands on a command line."""
        return self.model_dump_json(exclude={"superadmin_password"})

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
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"


class _RunnerSettings(Settings):
    model_config = SettingsConfigDict(toml_file=None)

    @classmethod
    def settings_customise_sources(cls, settings_cls: type[BaseSettings], **kwargs: Any) -> tuple[Any, ...]:  # type: ignore[override]
        return (kwargs["init_settings"],)
