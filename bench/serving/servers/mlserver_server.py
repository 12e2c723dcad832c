"""MLServer with its scikit-learn runtime: one model in a worker process, batches of up to 32. It has no ensembles."""

import json
import os
import sys
import tempfile
from pathlib import Path

import joblib
import models

port = int(os.environ["PORT"])
folder = Path(tempfile.mkdtemp())
(folder / "m").mkdir()
joblib.dump(models.get(models.WORKS[os.environ["WORK"]][0]), folder / "m.joblib")
(folder / "settings.json").write_text(
    json.dumps(
        {
            "host": "127.0.0.1",
            "http_port": port,
            "grpc_port": port + 100,
            "metrics_port": port + 200,
            "parallel_workers": 1,
            "debug": False,
            "metrics_endpoint": None,
        }
    )
)
(folder / "m" / "model-settings.json").write_text(
    json.dumps(
        {
            "name": "m",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "max_batch_size": 32,
            "max_batch_time": 0.001,
            "parameters": {"uri": str(folder / "m.joblib")},
        }
    )
)
os.chdir(folder)
os.execv(Path(sys.executable).with_name("mlserver"), ["mlserver", "start", str(folder)])
