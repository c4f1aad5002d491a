import sys

import services

sys.exit(services.run("admin.mjs"))
