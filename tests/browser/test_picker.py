import os
import socket
import sys

import services

with socket.create_server(("127.0.0.1", 0)) as free:  # picker.mjs serves the page of another origin there
    os.environ["PAGE"] = f"http://localhost:{free.getsockname()[1]}"
os.environ["PEEL_CORS_ORIGINS"] = os.environ["PAGE"]
sys.exit(services.run("picker.mjs"))
