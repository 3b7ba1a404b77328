#!/usr/bin/env bash
# What a page of FTP Файлы costs with FILES (100000) files, and the memory of the list.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec cargo test --release --test it -- --ignored --nocapture --exact sftp_many::a_page_of_many_files
