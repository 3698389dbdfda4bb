"""Contexts for many questions as one job: submitted, watched, and printed with their tokens.

python examples/batch.py localhost:8080 questions.txt    # the key in SCIC_API_KEY, a question a line
"""

import asyncio
import os
import sys
from pathlib import Path

import scic


async def main(address: str, questions: list[str]) -> None:
    """Submits the questions and waits for what comes of them."""
    async with scic.Client(address, api_key=os.environ["SCIC_API_KEY"]) as client:
        batch = [scic.context_request(question, max_tokens=1500) for question in questions]
        job = (await client.submit_contexts(batch)).job
        # Whatever dies meanwhile, the job goes on, and so does the watching.
        async for event in client.watch_job(job.job_id):
            print(f"{event.job.done_count} of {event.job.item_count} done")
        async for result in client.job_results(job.job_id):
            failed = result.HasField("error")
            came = result.error.message if failed else f"{result.context.tokens.total} tokens"
            print(f"{questions[result.index]}: {came}")


if __name__ == "__main__":
    text = Path(sys.argv[2]).read_text(encoding="utf-8")
    asyncio.run(main(sys.argv[1], [line for line in text.splitlines() if line.strip()]))
