"""Presidio, in an environment of its own: reads texts and answers findings and its own time, line by line.

Run by `benchmarks.pii`; imports nothing of this project.
"""

import json
import logging
import sys
import time
from importlib import import_module
from typing import Any


def main() -> None:
    logging.disable(logging.WARNING)
    analyzer: Any = import_module("presidio_analyzer")
    engines: Any = import_module("presidio_analyzer.nlp_engine")
    tldextract: Any = import_module("tldextract")
    # The list that came with the package: nothing is fetched.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())
    engine = engines.NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "no_op"}])
    presidio = analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.perf_counter()
        found = [presidio.analyze(text, language="en", entities=asked["kinds"]) for text in asked["texts"]]
        taken_s = time.perf_counter() - begun
        spans = [[(each.entity_type, each.start, each.end, each.score) for each in one] for one in found]
        print(json.dumps({"taken_s": taken_s, "spans": spans}), flush=True)


if __name__ == "__main__":
    main()
