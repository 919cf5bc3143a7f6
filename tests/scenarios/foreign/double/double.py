"""A model of MLServer's that doubles what it is given: the smallest that says something."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Double(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        given = NumpyCodec.decode_input(payload.inputs[0])
        output = NumpyCodec.encode_output("doubled", given * 2)
        return InferenceResponse(model_name=self.name, outputs=[output])
