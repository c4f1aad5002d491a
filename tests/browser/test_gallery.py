import sys

import services

sys.exit(services.run("gallery.mjs", shares=2))
