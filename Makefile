# make demo   the whole pipeline on a generated data set; RECIPE=pretrained downloads ImageNet weights
# make test   lint and all tests
# make test-fast   the tests that start no process and train tiny networks only
# make test-chaos   kills programs at 100 random moments, lets disks run full, runs programs at the same time; SEED=1
#             draws other moments. `make test` does it with few kills.
# make docs   docs/options.md again
# make examples   generates the figures in vis/ again, from the demo and a training on duets; take RECIPE=pretrained
# Each installs into .venv first. PYTHON=python3.12 chooses the interpreter.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
RECIPE ?= improved
DEMO_RUN := runs/demo$(if $(filter-out improved,$(RECIPE)),_$(RECIPE))
V_CLUSTER := $(if $(filter improved,$(RECIPE)),2,3)
DUET_SET := datasets/demo_duet
DUET_RUN := $(DEMO_RUN)_duet
KILLS := 100
SEED := 108

.PHONY: demo examples test test-fast test-chaos docs lint install

demo: install
	$(RUN) data/make_demo.py
	$(RUN) data/prepare.py
	$(RUN) vis/samples.py
	$(RUN) location_dmc.py --recipe $(RECIPE) --v_cluster $(V_CLUSTER) --a_cluster 1 \
		--out $(DEMO_RUN) --dmc_pkl $(DEMO_RUN)/dmc.pkl --resume 1
	$(RUN) vis/draw.py $(DEMO_RUN)/dmc.pkl --sheet $(DEMO_RUN)/sheet.jpg
	$(RUN) vis/report.py $(DEMO_RUN)/dmc.pkl --run $(DEMO_RUN)
	$(RUN) vis/localize.py datasets/demo/video/$$(head -n 1 datasets/demo/test.txt).mp4 --ckpt_file $(DEMO_RUN)/best.pth \
		--out $(DEMO_RUN)/heat.mp4 --overwrite 1
	@echo
	@echo "The demo is done. It wrote:"
	@echo "  $(DEMO_RUN)/dmc.html         the report: open this first, in a browser; it also plays the audio"
	@echo "  $(DEMO_RUN)/heat.mp4         a test video with a heat map"
	@echo "  $(DEMO_RUN)/sheet.jpg        20 test frames with their maps and scores"
	@echo "  $(DEMO_RUN)/dmc.pkl          the maps of the test frames; docs/formats.md shows how to read them"
	@echo "  $(DEMO_RUN)/dmc.csv          the distance of each audio cluster to its matched visual cluster"
	@echo "  $(DEMO_RUN)/log.csv          loss and matching accuracy of each epoch"
	@echo "  datasets/demo/samples.jpg  the input of the network"
	@echo "  datasets/demo/video        the videos, with audio"
	@echo "Next: a video of your own, $(RUN) vis/localize.py my_video.mp4 --ckpt_file $(DEMO_RUN)/best.pth"
	@echo
	@echo "The scores of the maps, beside baselines that learn nothing:"
	$(RUN) metrics/score.py $(DEMO_RUN)/dmc.pkl

examples: demo
	$(RUN) data/make_demo.py --data_dir $(DUET_SET) --sources 2
	$(RUN) data/prepare.py --data_dir $(DUET_SET)
	$(RUN) location_dmc.py --data_dir $(DUET_SET) --recipe $(RECIPE) --v_cluster 4 --a_cluster 2 \
		--epoch 16 --resume 1 --out $(DUET_RUN) --dmc_pkl $(DUET_RUN)/dmc.pkl
	$(RUN) vis/samples.py --out vis/samples.jpg
	$(RUN) vis/examples.py --solo $(DEMO_RUN) --duet $(DUET_RUN)

test-fast: install
	$(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

test-chaos: install
	CHAOS_KILLS=$(KILLS) CHAOS_SEED=$(SEED) $(RUN) -m pytest -n 2 --dist loadgroup tests/chaos

docs: install
	$(RUN) training/options_page.py

test: install lint
	$(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt requirements-dev.txt requirements-cluster.txt requirements-download.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed: make PYTHON=python3.12" if sys.version_info < (3, 10) else 0)'
	@echo "Installing into $(VENV): PyTorch is large (on Linux about 5 GB with CUDA), which takes some minutes"
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install $(foreach file,$^,-r $(file))
	@touch $@
