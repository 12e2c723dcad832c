"""Plain FastAPI, the models in its process, no batching: what most people write by hand."""

import os
from typing import Any

import models
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
ensemble = models.Ensemble(os.environ["WORK"])


class Query(BaseModel):
    query: Any


@app.post("/predict")
async def predict(query: Query) -> dict[str, Any]:
    return {"prediction": ensemble.predict([query.query])[0].tolist()}


uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning", access_log=False, http="httptools", loop="uvloop")
