import sys

import services

sys.exit(services.run("upload.mjs"))
