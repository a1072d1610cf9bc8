"""Says as JSON where huggingface_hub finds files of a repository: hub_cache.py online|offline CACHE_DIR ID REVISION NAME..."""

import json
import sys

from huggingface_hub import hf_hub_download

mode, cache_dir, repo_id, revision, *names = sys.argv[1:]
paths = {
    name: hf_hub_download(
        repo_id, name, revision=revision, cache_dir=cache_dir, local_files_only=mode == "offline"
    )
    for name in names
}
print(json.dumps(paths))
