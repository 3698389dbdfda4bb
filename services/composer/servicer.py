"""ComposerService: wire to domain and back."""

import asyncio
from functools import partial

import grpc.aio

from scic import errors
from scic.composer.v1 import composer_service_pb2 as pb
from scic.composer.v1 import composer_service_pb2_grpc as rpc
from scic.type.v1 import message_pb2
from services.composer.evidence import Evidence
from services.composer.prompt import BudgetTooSmallError, Prompt, Role, Section, compose
from services.text.tokens import ENCODING_NAMES, UnknownModelError, encoding_for

_ROLES = {
    Role.SYSTEM: message_pb2.ROLE_SYSTEM,
    Role.USER: message_pb2.ROLE_USER,
    Role.ASSISTANT: message_pb2.ROLE_ASSISTANT,
}
SECTIONS = {
    Section.INSTRUCTIONS: message_pb2.SECTION_INSTRUCTIONS,
    Section.CONVERSATION: message_pb2.SECTION_CONVERSATION,
    Section.EVIDENCE: message_pb2.SECTION_EVIDENCE,
    Section.QUESTION: message_pb2.SECTION_QUESTION,
    Section.FORMAT: message_pb2.SECTION_FORMAT,
}
_SPEAKERS = {wire: role for role, wire in _ROLES.items()}

_LONG_BYTES = 65_536


class ComposerServicer(rpc.ComposerServiceServicer):
    """Answers Compose. Stateless. An ordinary prompt takes a millisecond, so it is written on the loop."""

    async def Compose(  # noqa: N802 - the name of the RPC
        self, request: pb.ComposeRequest, context: grpc.aio.ServicerContext[pb.ComposeRequest, pb.ComposeResponse]
    ) -> pb.ComposeResponse:
        """Writes the prompt."""
        try:
            encoding = encoding_for(request.encoding)
        except UnknownModelError as error:
            raise errors.UNKNOWN_MODEL.error(
                f"encoding {request.encoding!r} is not known",
                metadata={"valid": ", ".join(ENCODING_NAMES)},
                field_violations=[("encoding", f"must be one of: {', '.join(ENCODING_NAMES)}")],
            ) from error
        evidence = [Evidence(tuple(item.title_path), item.source, item.text) for item in request.evidence]
        work = partial(
            compose,
            instructions=request.instructions,
            conversation=[(_SPEAKERS[turn.role], turn.text) for turn in request.conversation],
            evidence=evidence,
            question=request.question,
            max_tokens=request.max_tokens,
            encoding=encoding,
        )
        try:
            prompt = await asyncio.to_thread(work) if request.ByteSize() > _LONG_BYTES else work()
        except BudgetTooSmallError as error:
            raise errors.BUDGET_TOO_SMALL.error(
                str(error),
                metadata={"required_tokens": str(error.required)},
                field_violations=[("max_tokens", f"must be at least {error.required}")],
            ) from error
        return _response(prompt)


def _response(prompt: Prompt) -> pb.ComposeResponse:
    return pb.ComposeResponse(
        messages=[message_pb2.Message(role=_ROLES[m.role], content=m.content) for m in prompt.messages],
        evidence=[pb.ComposedEvidence(index=index, citation=index + 1) for index in range(prompt.evidence_count)],
        sections=[
            message_pb2.SectionTokens(section=SECTIONS[section], token_count=count)
            for section, count in prompt.tokens.items()
        ],
        token_count=prompt.token_count,
    )
