"""`python -m benchmarks.retrieval [FOLDER ...]`: how well the stores find what test collections ask for."""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from redis.asyncio import Redis
from rich.console import Console

from benchmarks.beir import NEEDED, Collection, CollectionError, Quality, find_collections, judge, read_collection
from benchmarks.encoding import encode_documents
from benchmarks.report import RESULTS, Figure, at_least, show, write
from benchmarks.servers import ServerError, weaviate_servers
from services.gateway.chunking import FORMATS
from services.selector.caller import EVERYBODY
from services.selector.embedded.store import EmbeddedStore
from services.selector.indexing import question_terms
from services.selector.passage import EmbeddingModel, IndexedDocument
from services.selector.ports import Store
from services.selector.query import Query, SourceQuery
from services.selector.selection import rank
from services.selector.weaviate import Address, WeaviateStore
from services.text.encoder import Encoder, Vectors
from services.text.model import model_file

DATA = "SCIC_BENCH_RETRIEVAL_DATA"
"""Variable that names the folder where none is given."""
STORES = ("embedded", "weaviate")
SOURCE = "bench"
LIMIT = 100
"""Passages that a question may find."""
_BATCH = 200
"""Documents of one write."""


@dataclass(frozen=True, slots=True)
class Known:
    """A public collection that has a goal."""

    content_type: str
    ndcg_10: float


KNOWN = {
    "scifact": Known("text/plain", 73.5),
    "cranfield": Known("text/plain", 43.5),
    "cosqa": Known("text/x-python", 58.2),
}


def main() -> int:
    """Measure, print, write; exit code 1 where something could not be measured. Missed goals are no errors."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval", description=__doc__)
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER", help=f"collections, or folders of such; default: ${DATA}"
    )
    parser.add_argument("--store", choices=[*STORES, "both"], default="both")
    parser.add_argument(
        "--content-type", choices=FORMATS, default="text/plain", help="of collections that are not known by name"
    )
    parser.add_argument("--output", type=Path, default=RESULTS / "retrieval.json", help="file for the figures")
    options = parser.parse_args()
    console = Console()
    folders = options.folders or [Path(folder) for folder in [os.environ.get(DATA)] if folder]
    stores = STORES if options.store == "both" else (options.store,)
    if not folders:
        console.print(f"Name collections, as arguments or by {DATA}: {NEEDED}.", style="red")
        return 1
    try:
        measured = asyncio.run(_measure(find_collections(folders), stores, options.content_type, console))
    except (CollectionError, ServerError) as error:
        console.print(str(error), style="red")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        return 130
    write(options.output, measured)
    show("Retrieval", measured, console)
    return 0


async def _measure(folders: Sequence[Path], stores: Sequence[str], content_type: str, console: Console) -> list[Figure]:
    """Every collection on every store. A collection is encoded once, and each store is handed the same."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="scic-bench-") as scratch:
        model = await asyncio.to_thread(model_file, Path(scratch) / "models")
        encoder = Encoder.load(model)
        async with AsyncExitStack() as stack:
            opened = {name: await stack.enter_async_context(_open(name, Path(scratch) / name)) for name in stores}
            for folder in folders:
                collection = read_collection(folder)
                known = KNOWN.get(collection.name)
                format_name = known.content_type if known else content_type
                console.print(f"Encoding {collection.name}: {len(collection.documents):,} documents")
                documents = await asyncio.to_thread(encode_documents, collection.documents, format_name, SOURCE, model)
                vectors = encoder.encode([query.text for query in collection.queries])
                for name, store in opened.items():
                    console.print(f"Asking {name} {len(collection.judgements):,} questions")
                    quality = await ask(store, collection, documents, vectors, encoder)
                    figures += _figures(collection.name, name, quality, known)
    return figures


@asynccontextmanager
async def _open(name: str, folder: Path) -> AsyncIterator[Store]:
    if name == "embedded":
        await asyncio.to_thread(folder.mkdir)
        embedded = EmbeddedStore(folder)
        yield embedded
        await embedded.close()
        return
    with weaviate_servers(folder) as servers:
        redis = Redis.from_url(servers.redis_url)
        store = WeaviateStore(Address(servers.url, servers.grpc_port, servers.api_key), redis)
        yield store
        await store.close()
        await redis.aclose()


async def ask(
    store: Store, collection: Collection, documents: Sequence[IndexedDocument], vectors: Vectors, encoder: Encoder
) -> Quality:
    """Store a collection as a tenant of its own, ask its questions, and judge what is found.

    A document stands where its best passage stands.
    """
    model = EmbeddingModel(encoder.model_id, encoder.dimension)
    tenant = f"bench-{collection.name.lower()}"
    for at in range(0, len(documents), _BATCH):
        await store.index(tenant, documents[at : at + _BATCH], model, EVERYBODY)
    kind = documents[0].document.kind
    rankings = {}
    for query, vector in zip(collection.queries, vectors, strict=True):
        if query.id in collection.judgements:
            selection = await store.search(
                tenant,
                Query(
                    terms=question_terms(query.text),
                    vector=vector,
                    model_id=model.model_id,
                    sources=(SourceQuery(SOURCE, kind, LIMIT),),
                    caller=EVERYBODY,
                    now=datetime.now(UTC),
                ),
                rank,
            )
            found = [scored.passage for scored in selection.passages if scored.duplicate_of is None]
            rankings[query.id] = list(dict.fromkeys(passage.document.document_id for passage in found))
    return judge(rankings, collection.judgements)


def _figures(collection: str, store: str, quality: Quality, known: Known | None) -> list[Figure]:
    name = f"{collection}, {store}"
    return [
        Figure(f"{name}: nDCG@10", quality.ndcg_10, "%", at_least(known.ndcg_10) if known else None),
        Figure(f"{name}: Recall@10", quality.recall_10, "%"),
        Figure(f"{name}: Recall@100", quality.recall_100, "%"),
    ]


if __name__ == "__main__":
    sys.exit(main())
