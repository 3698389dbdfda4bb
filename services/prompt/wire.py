"""Composing, between the API's messages and the domain: what the composer does, and its stand-in in the gateway."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from scic import errors
from scic.composer.v1 import composer_service_pb2 as pb
from scic.type.v1 import message_pb2, prompt_pb2, trust_pb2
from services.prompt.compose import BudgetTooSmallError, compose
from services.prompt.fence import draw_nonce
from services.prompt.imitations import Imitation
from services.prompt.message import Message, Role, Section, Trust
from services.prompt.prompt import Prompt
from services.prompt.request import Evidence, EvidenceOrder, Example, Format, PromptRequest, Turn
from services.prompt.tool import Tool, ToolError
from services.text.tokens import Encoding

_ROLES: Final[Mapping[Role, message_pb2.Role.ValueType]] = MappingProxyType(
    {
        Role.SYSTEM: message_pb2.ROLE_SYSTEM,
        Role.USER: message_pb2.ROLE_USER,
        Role.ASSISTANT: message_pb2.ROLE_ASSISTANT,
    }
)
_SPEAKERS: Final = MappingProxyType({wire: role for role, wire in _ROLES.items()})
_TRUST: Final = MappingProxyType(
    {Trust.TRUSTED: trust_pb2.TRUST_LABEL_TRUSTED, Trust.UNTRUSTED: trust_pb2.TRUST_LABEL_UNTRUSTED}
)
_ORDERS: Final = MappingProxyType(
    {
        prompt_pb2.EVIDENCE_ORDER_BY_SOURCE: EvidenceOrder.BY_SOURCE,
        prompt_pb2.EVIDENCE_ORDER_BEST_AT_BOTH_ENDS: EvidenceOrder.BEST_AT_BOTH_ENDS,
    }
)


def compose_response(
    request: pb.ComposeRequest, encoding: Encoding, draw: Callable[[], str] = draw_nonce
) -> pb.ComposeResponse:
    """Answers Compose. Raises ScicError BUDGET_TOO_SMALL, and INVALID_FIELD for a tool's parameters."""
    try:
        prompt = compose(_read(request, encoding), draw)
    except BudgetTooSmallError as error:
        raise errors.BUDGET_TOO_SMALL.error(
            str(error),
            metadata={"required_tokens": str(error.required)},
            field_violations=[("max_tokens", f"must be at least {error.required}")],
        ) from error
    except ToolError as error:
        raise unreadable_tool(error) from error
    return _write(prompt, rendered=prompt.body(request.model) if request.render else "")


def unreadable_tool(error: ToolError) -> errors.ScicError:
    """The error of a request whose tool cannot be read."""
    field = f"tools[{error.index}].parameters_json"
    return errors.INVALID_FIELD.error(str(error), field_violations=[(field, error.expectation)])


def read_tools(tools: Iterable[prompt_pb2.Tool]) -> tuple[Tool, ...]:
    """Tools of the API."""
    return tuple(Tool(tool.name, tool.description, tool.parameters_json) for tool in tools)


def read_examples(examples: Iterable[prompt_pb2.Example]) -> tuple[Example, ...]:
    """Examples of the API."""
    return tuple(Example(example.question, example.answer) for example in examples)


def read_format(provider: prompt_pb2.PromptFormat.ValueType) -> Format:
    """A provider's format of the API; OpenAI's where it is unset."""
    return Format.ANTHROPIC if provider == prompt_pb2.PROMPT_FORMAT_ANTHROPIC else Format.OPENAI


def read_trust(label: trust_pb2.TrustLabel.ValueType) -> Trust:
    """A trust label of the API; untrusted where it is unset."""
    return Trust.TRUSTED if label == trust_pb2.TRUST_LABEL_TRUSTED else Trust.UNTRUSTED


def _read(request: pb.ComposeRequest, encoding: Encoding) -> PromptRequest:
    return PromptRequest(
        instructions=request.instructions,
        question=request.question,
        max_tokens=request.max_tokens,
        encoding=encoding,
        conversation=tuple(Turn(_SPEAKERS[turn.role], turn.text) for turn in request.conversation),
        evidence=tuple(map(_read_evidence, request.evidence)),
        tools=read_tools(request.tools),
        examples=read_examples(request.examples),
        reserved_output_tokens=request.reserved_output_tokens,
        order=_ORDERS.get(request.order, EvidenceOrder.BY_SCORE),
        format=read_format(request.format),
    )


def _read_evidence(item: pb.EvidenceInput) -> Evidence:
    return Evidence(
        title_path=tuple(item.title_path),
        source=item.source,
        text=item.text,
        trust=read_trust(item.trust),
        document_id=item.document_id,
        start=item.start,
    )


def _write(prompt: Prompt, rendered: str) -> pb.ComposeResponse:
    return pb.ComposeResponse(
        messages=map(_write_message, prompt.messages),
        evidence=[
            pb.ComposedEvidence(index=index, citation=number) for number, index in enumerate(prompt.evidence, start=1)
        ],
        sections=[
            message_pb2.SectionTokens(
                section=_section(section),
                token_count=prompt.tokens.get(section, 0),
            )
            for section in Section
        ],
        token_count=prompt.token_count,
        prefix_token_count=prompt.prefix_token_count,
        defused=[
            prompt_pb2.ImitationCount(type=_imitation(imitation), count=prompt.defused[imitation])
            for imitation in Imitation
            if prompt.defused.get(imitation)
        ],
        rendered=rendered,
    )


def _write_message(message: Message) -> message_pb2.Message:
    return message_pb2.Message(
        role=_ROLES[message.role],
        content=message.content,
        section=_section(message.section),
        trust=_TRUST[message.trust] if message.trust else trust_pb2.TRUST_LABEL_UNSPECIFIED,
    )


def _section(section: Section) -> message_pb2.Section.ValueType:
    return message_pb2.Section.Value(f"SECTION_{section.name}")


def _imitation(imitation: Imitation) -> prompt_pb2.ImitationType.ValueType:
    return prompt_pb2.ImitationType.Value(f"IMITATION_TYPE_{imitation.name}")
