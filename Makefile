# make demo   the whole pipeline on a generated data set
# make test   lint and all tests
# Each makes .venv and installs what it needs first. PYTHON=python3.12 chooses the interpreter.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
DEMO_RUN := runs/demo

.PHONY: demo test lint install

demo: install
	$(RUN) data/make_demo.py
	$(RUN) data/split.py
	$(RUN) data/cut_video.py
	$(RUN) data/cut_audio.py
	$(RUN) vis/samples.py
	$(RUN) location_dmc.py --recipe improved --v_cluster 3 --a_cluster 1 --epoch 12 \
		--out $(DEMO_RUN) --dmc_pkl $(DEMO_RUN)/dmc.pkl --resume 1
	@echo
	@echo "The demo is done. What it wrote, and what to look at:"
	@echo "  datasets/demo/samples.jpg  what the network is given: open this first"
	@echo "  datasets/demo/video        the videos, with sound: play some"
	@echo "  $(DEMO_RUN)/log.csv          loss and matching accuracy of each epoch"
	@echo "  $(DEMO_RUN)/dmc.pkl          the maps of the test frames; README.md shows how to read them"
	@echo "  $(DEMO_RUN)/dmc.csv          how far each sound is from the part of the picture it was matched to"
	@echo
	@echo "How well the maps show what sounds, beside what needs no learning:"
	$(RUN) metrics/score.py $(DEMO_RUN)/dmc.pkl

test: install lint
	$(RUN) -m pytest

lint: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed: make PYTHON=python3.12" if sys.version_info < (3, 10) else 0)'
	@echo "Installing into $(VENV): PyTorch is large (on Linux about 5 GB with CUDA), this takes some minutes"
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -r requirements.txt -r requirements-dev.txt
	@touch $@
