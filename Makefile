# Names for what dev.py does; without make, type `python3 dev.py run`, `python3 dev.py test` and so on.
PYTHON ?= python3

.PHONY: run test mutants setup lint lock

run:   ; @$(PYTHON) dev.py run
test:  ; @$(PYTHON) dev.py test $(ARGS)
mutants: ; @$(PYTHON) dev.py test --mutants tests/mutants
setup: ; @$(PYTHON) dev.py setup
lint:  ; @$(PYTHON) dev.py check
lock:  ; @$(PYTHON) dev.py lock $(ARGS)
