"""What in a text imitates the frame of a prompt: patterns of fences, special tokens and role markers.

The one group of a match is the character that is exchanged. All patterns are bounded, so that no text takes long to
read. They are matched on folded text, before which a line end was put.
"""

import re
from enum import Enum
from typing import Final


class Imitation(Enum):
    """A kind of imitation."""

    FENCE = "fence"
    SPECIAL_TOKEN = "special token"  # noqa: S105 - no password
    ROLE_MARKER = "role marker"
    HIDDEN = "hidden"


_ENDS: Final = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""Characters that end a line, as `str.splitlines` has them."""
_END: Final = rf"(?=[{_ENDS}]|\Z)"

# [[END untrusted evidence 123]], === begin of trusted evidence ===
_FENCE: Final = (
    r"[\[=<*#~-][\[=<*#~-][ \t/]{0,4}(?:[Bb]|[Ee])(?i:egin|nd)([ \t_-])[ \t_-]{0,4}"
    r"(?i:of[ \t_-])?(?i:the[ \t_-])?(?i:(?:un)?trusted[ \t_-])?[ \t]{0,4}(?i:evidence|passages)\b"
)
# The header of a passage: [3] Guide > Install (docs)
_HEADER: Final = (
    rf"[{_ENDS}][ \t]{{0,3}}(\[)\d{{1,3}}\] (?:[^{_ENDS}]{{0,256}} )?\([a-z][a-z0-9_-]{{0,31}}\)[ \t]{{0,8}}{_END}"
)

# Tokenizers' own words. Sources: the chat templates of Llama 2 to 4, Mistral, Qwen, DeepSeek, Gemma, Phi, Command,
# GLM, Granite, InternLM, StarCoder and of BERT and T5.
_ANGLED: Final = (
    "s",
    "bos",
    "eos",
    "pad",
    "unk",
    "mask",
    "sop",
    "eop",
    "eoh",
    "eoa",
    "eod",
    "eot",
    "(?:start|end)_of_(?:turn|image|audio|role|text)",
    "(?:bos|eos|eop|pad|cls|sep|mask|unk)_token",
    "begin_of_(?:text|sentence)",
    "end_of_sentence",
    "fim_(?:prefix|middle|suffix|pad)",
    "file_sep",
    "extra_id_[0-9]{1,4}",
    "unused_?[0-9]{1,4}",
    "tokens_unused_[0-9]{1,4}",
    "think",
    "thinking",
    "image_soft_token",
)
_SQUARE: Final = (
    "INST",
    "SYSTEM_PROMPT",
    "AVAILABLE_TOOLS",
    "TOOL_CALLS",
    "TOOL_RESULTS",
    "TOOL_CONTENT",
    "ARGS",
    "CALL_ID",
    "THINK",
    "PREFIX",
    "MIDDLE",
    "SUFFIX",
    "IMG",
    "IMG_BREAK",
    "IMG_END",
    "BOS",
    "EOS",
    "UNK",
    "PAD",
    "CLS",
    "SEP",
    "MASK",
    "gMASK",
    "sMASK",
)
_ANGLED_TOKEN: Final = r"(<)(?:\|[^\s|<>]{1,64}\|>|<[ \t]?/?[ \t]?(?i:sys)[ \t]?>>|/?(?i:" + "|".join(_ANGLED) + r")>)"
_SQUARE_TOKEN: Final = r"(\[)/?(?:" + "|".join(_SQUARE) + r"|(?i:inst))\]"

# Elements that chat templates and their users put around turns, calls and documents.
_ELEMENTS: Final = (
    "system(?:[_-](?:prompt|message|reminder|instructions?))?",
    "assistant",
    "user",
    "human",
    "developer",
    "instructions?",
    "function_(?:calls?|results?)",
    "antml",
    "invoke",
    "tools?_(?:calls?|results?|use|responses?|outputs?)",
    "documents?",
    "document_(?:contents?|index)",
    "search_results?",
    "evidence",
    "scratchpad",
)
_NAME: Final = "|".join(_ELEMENTS)
_ATTRIBUTES: Final = r"(?:[ \t]{1,3}[\w:-]{1,32}){0,8}(?:[ \t]{0,3}=[^<>\n]{0,256})?[ \t]{0,3}/?>"
# Capitalised ones only where they are bare and no word stands before: `List<User>` is code, as is `<User name={x} />`.
_ELEMENT: Final = (
    rf"(<)[ \t]{{0,3}}/?[ \t]{{0,3}}(?:(?:[\w-]{{1,16}}:)?(?:{_NAME})(?::[\w-]{{1,32}})?{_ATTRIBUTES}"
    rf"|(?<!\w<)(?<!\w</)(?i:{_NAME})[ \t]{{0,3}}>)"
)

# Those that open a turn, in the languages that injections are written in most.
_SPEAKERS: Final = (
    "system",
    "assistant",
    "human",
    "user",
    "developer",
    "sistema",
    "système",
    "asistente",
    "usuario",
    "utilisateur",
    "benutzer",
    "assistent",
    "система",
    "ассистент",
    "пользователь",
)
_UNCASED: Final = "系统|系統|用户|用戶|助手|システム|ユーザー|アシスタント|시스템|사용자|النظام|المستخدم"
_CAPITAL: Final = "|".join([*(f"{name[0].upper()}(?i:{name[1:]})" for name in _SPEAKERS), _UNCASED])
_SMALL: Final = "|".join(_SPEAKERS)
_KIND: Final = r"(?:[ \t_-](?i:prompt|message|note|notice|override|instructions?|alert|update|command|response|turn))?"
# Signs of quotation, headings, emphasis and comments; no bullets: `- User: admin` is an item of a list.
_LEAD: Final = r"[ \t]{0,3}(?:(?:[>#~`\"'“”«\[(/;%]|\*\*|__|--|/\*|<!--)[ \t]{0,3}){0,8}"
# Tells most lines apart at once: what stands before a name, and how names begin.
_BEGINNINGS: Final = sorted({*(name[:3] for name in _SPEAKERS), *_UNCASED.split("|"), "gpt", "ins", "res"})
_MAY_OPEN: Final = (
    r"(?=[ \t>#~`\"'“”«\[(/;%*_<!-]{0,64}+"
    rf"(?=[{''.join(sorted({start[0] for start in _BEGINNINGS} | {start[0].upper() for start in _BEGINNINGS}))}])"
    rf"(?i:{'|'.join(_BEGINNINGS)}))"
)
_COLON: Final = r"[ \t]{0,3}[\])*_`\"'”»]{0,4}[ \t]{0,3}(:)"
_TWO_WORDS: Final = r"(?=[ \t]*\S+[ \t]+\S)"
# Members of an object or a type: `User: {`, `user: User | null;`.
_NO_MEMBER: Final = rf"(?![ \t]{{0,3}}\S{{0,40}}(?:[ \t]\S{{0,40}})?[,;{{(\[][ \t]{{0,3}}{_END})"
_NO_CODE: Final = rf"(?![^{_ENDS}]*[,;{{(\[|=][ \t]*{_END})"
_ROLE: Final = (
    rf"[{_ENDS}]{_MAY_OPEN}(?:"
    + "|".join(
        (
            f"(?:{_CAPITAL}){_KIND}{_COLON}",
            f"{_LEAD}(?:GPT4 (?:Correct )?)?(?:{_CAPITAL}){_KIND}{_COLON}{_NO_MEMBER}",
            rf"[ \t]{{4,64}}(?:{_CAPITAL}){_KIND}{_COLON}{_TWO_WORDS}{_NO_MEMBER}",
            f"{_LEAD}(?:{_SMALL}){_KIND}{_COLON}{_TWO_WORDS}{_NO_CODE}",
            rf"[ \t]{{0,3}}#{{2,6}}[ \t]{{0,3}}(?i:instructions?|response|{_SMALL}){_COLON}",
        )
    )
    + ")"
)

Patterns = tuple[tuple[Imitation, re.Pattern[str]], ...]

IN_SPEECH: Final[Patterns] = (
    (Imitation.FENCE, re.compile(_FENCE)),
    (Imitation.SPECIAL_TOKEN, re.compile(_ANGLED_TOKEN)),
    (Imitation.SPECIAL_TOKEN, re.compile(_SQUARE_TOKEN)),
)
"""What no turn of a conversation may hold; a role's name a user may well write in his own."""

IN_EVIDENCE: Final[Patterns] = (
    *IN_SPEECH,
    (Imitation.FENCE, re.compile(_HEADER)),
    (Imitation.ROLE_MARKER, re.compile(_ELEMENT)),
    (Imitation.ROLE_MARKER, re.compile(_ROLE)),
)
"""What no evidence may hold."""
