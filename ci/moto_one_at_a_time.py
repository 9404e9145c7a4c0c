"""moto's server, but one request at a time.

    moto_one_at_a_time.py PORT

S3 compares an object's tag and replaces the object in one step. moto does that in two, and serves each connection in a thread of its own: of
two conditional PUTs that meet, both may be told that they have won, and one of them is lost. So here no two requests meet.
"""

import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

moto = DomainDispatcherApplication(create_backend_app)
turn = threading.Lock()


def one_at_a_time(environ, start_response):
    with turn:
        return list(moto(environ, start_response))


run_simple("127.0.0.1", int(sys.argv[1]), one_at_a_time, threaded=True)
