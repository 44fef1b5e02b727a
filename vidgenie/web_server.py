"""How gunicorn runs the site: `gunicorn -c vidgenie/web_server.py vidgenie.wsgi --bind ADDRESS`.

These are its settings by its own names. GUNICORN_CMD_ARGS and options on the command line win.
"""

worker_class = "vidgenie.door.Door"
workers = 2  # processes: one for each core that the web may have
threads = 4  # of each; they wait for the database, and a process of Python keeps one core busy at most
graceful_timeout = 10  # seconds for what is being answered when it is told to stop
control_socket_disable = True
loglevel = "warning"
