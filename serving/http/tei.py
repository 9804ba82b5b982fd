"""The endpoints that clients of Hugging Face's text-embeddings-inference speak."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.http.dependencies import Held, encoder_of
from serving.http.embedding import embed
from serving.http.replies import json_reply
from serving.schemas import EmbedRequest

router = APIRouter(tags=["Text Embeddings Inference"])


@router.post("/embed", response_model=list[list[float]])
async def embed_texts(body: EmbedRequest, request: Request, answering: Held) -> Response:
    """Vectors of texts, of length 1."""
    encoder = encoder_of(answering)
    prompt = encoder.spec.playlist_prompt if body.prompt_name == "query" else encoder.spec.song_prompt
    return json_reply((await embed(request, encoder, body.texts, prompt)).vectors)
