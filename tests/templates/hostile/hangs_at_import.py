threading.Event().wait()
