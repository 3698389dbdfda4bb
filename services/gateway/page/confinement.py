"""What a browser is told not to do with the page.

A record holds text that anybody may have written. The page puts it in as text and never as markup; should that ever
fail, the policy below lets nothing run, load or be sent that is not the page's own.
"""

from aiohttp import hdrs, web

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    # No script may turn a string into markup, not even the page's own.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)

_HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "scic",
}


async def confine(_: web.BaseRequest, response: web.StreamResponse) -> None:
    """Put the headers on a response that is about to be sent, errors included."""
    response.headers.update(_HEADERS)
    if response.status == web.HTTPUnauthorized.status_code:
        response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
