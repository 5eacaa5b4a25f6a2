# Reports on GPT-2 text generation. `make` lists what there is.

comma := ,

# The GPUs that the machine has. They are counted once, and the makes that this one starts are told. With a broken
# driver nvidia-smi stands still; macOS has neither it nor timeout.
GPU_SECONDS ?= 10
ifndef REPORT_GPUS
REPORT_GPUS := $(or $(shell command -v nvidia-smi >/dev/null && { \
	if command -v timeout >/dev/null; then timeout -k 1 $(GPU_SECONDS) nvidia-smi -L; else nvidia-smi -L; fi; \
	} 2>/dev/null | grep -c '^GPU'),0)
endif
export REPORT_GPUS

# CUDA_VISIBLE_DEVICES hides them all if it begins with none, see has_gpu in lib/core/backends.py.
FIRST := $(firstword $(subst $(comma), ,x$(strip $(CUDA_VISIBLE_DEVICES))))
HIDDEN := $(if $(filter-out undefined,$(origin CUDA_VISIBLE_DEVICES)),$(filter x x-% xNoDevFiles,$(FIRST)))
DEVICE := $(if $(HIDDEN),cpu,$(if $(filter-out 0,$(REPORT_GPUS)),gpu,cpu))

PYTHON ?= python3
# One more than the cores of a small machine: tests also wait, for servers that fail and kernels that start.
TEST_PROCESSES ?= 3
RIGHT_PYTHON = $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
WRONG_PYTHON = error: $(PYTHON) is not Python 3.11, 3.12 or 3.13; name one that is: make PYTHON=python3.12

# With BUNDLE all comes from that folder, which `make bundle` has written elsewhere, and nothing from a network. The
# bundle names its lock, its profile and itself.
BUNDLED :=
ifneq ($(if $(filter bundle,$(MAKECMDGOALS)),,$(BUNDLE)),)
BUNDLED := $(shell $(RIGHT_PYTHON) && $(PYTHON) -m lib.bundle.unpack "$(BUNDLE)" --about 2>&1 | tail -n 1)
ifneq ($(words $(BUNDLED)),3)
$(error $(or $(BUNDLED),$(WRONG_PYTHON)))
endif
export REPORT_OFFLINE := 1
export HF_HUB_OFFLINE := 1
unexport KAGGLEHUB_CACHE HF_HOME HF_HUB_CACHE TFDS_DATA_DIR
endif

PROFILE ?= $(or $(word 2,$(BUNDLED)),$(DEVICE))
LOCK := $(or $(word 1,$(BUNDLED)),$(if $(filter-out 0,$(REPORT_GPUS)),gpu,cpu))
NOTEBOOK ?= 00_summary
LIMITED := $(if $(LIMIT),--limit $(LIMIT))
VENV ?= .venv
BIN := $(VENV)/bin
BENCH_VENV ?= .venv-bench
SWEEP_VENV ?= .venv-sweep
PROFILE_RUN ?= local
BUNDLE_LOCK ?= $(if $(filter gpu%,$(PROFILE)),gpu,cpu)
BUNDLE_PLATFORM ?= linux_x86_64
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# glibc hands large blocks back to the system when they are freed, and every training step on a CPU then waits while
# gigabytes are cleared anew: 0.3 to 0.6 s of two to three. With these it keeps them, in one heap that all threads use.
# It must know when a process starts. The peak of the memory is higher so, see lib/models/memory.py.
ifeq ($(DEVICE),cpu)
export MALLOC_MMAP_MAX_ ?= 0
export MALLOC_TRIM_THRESHOLD_ ?= 1000000000000
export MALLOC_ARENA_MAX ?= 1
endif

# A notebook's parameter, or a variable that is misspelt, would do nothing, in silence.
KNOWN := PROFILE NOTEBOOK ARGS LIMIT A B PYTEST TEST_PROCESSES SWEEP PROFILE_RUN CORES CHECK PYTHON VENV BENCH_VENV SWEEP_VENV BIN PIP LOCK SHELL \
	BUNDLE BUNDLE_PYTHON BUNDLE_PLATFORM BUNDLE_LOCK HAVE PART \
	REPORT_OUTPUTS REPORT_CACHE REPORT_GPUS GPU_SECONDS CUDA_VISIBLE_DEVICES MALLOC_%
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
UNKNOWN := $(sort $(filter-out $(KNOWN),$(GIVEN)))
ifneq ($(UNKNOWN),)
$(error error: make has no variable $(UNKNOWN:%='%'); a notebook's parameters go into ARGS, as in make report \
NOTEBOOK=$(NOTEBOOK) ARGS="$(UNKNOWN:%=%=...)", and what programs read from the environment goes before make)
endif

WITHOUT_REPORTS := help lab sweep bench test browser lint readme lock data bundle cache clean-cache

# The notebooks and what each needs, from lib/notebooks.py, as name=need,need. It also marks in .make/ when the code of a
# notebook last changed: prose is no reason to run it again.
LIST := $(shell $(PYTHON) lib/notebooks.py --stamps .make)
ifeq ($(strip $(LIST)),)
ifneq ($(filter-out $(WITHOUT_REPORTS) clean,$(or $(MAKECMDGOALS),help)),)
$(error error: $(PYTHON) lib/notebooks.py does not list the notebooks; name a Python that is 3.11, 3.12 or 3.13: make PYTHON=python3.12)
endif
endif
NOTEBOOKS := $(foreach one,$(LIST),$(firstword $(subst =, ,$(one))))
needs = $(subst $(comma), ,$(patsubst $(1)=%,%,$(filter $(1)=%,$(LIST))))

# Where the reports go, as lib/core/paths.py has it. Make splits paths at white space, and some characters are signs to it or
# to the shell.
SIGNS := : % * ? [ ] \ ' " ` $$ ; & | < > ( ) \#
NAMED := $(value REPORT_OUTPUTS)
HOME_FOLDER := $(or $(value HOME),~)
ELSEWHERE := $(patsubst ~,$(HOME_FOLDER),$(patsubst ~/%,$(HOME_FOLDER)/%,$(NAMED)))
UNFIT := $(filter-out 2,$(words x$(NAMED)x x$(ELSEWHERE)x)) $(filter ~%,$(ELSEWHERE))
UNFIT += $(foreach sign,$(SIGNS),$(findstring $(sign),$(ELSEWHERE)))
ifneq ($(strip $(UNFIT)),)
ifneq ($(filter-out $(WITHOUT_REPORTS),$(or $(MAKECMDGOALS),help)),)
$(error error: REPORT_OUTPUTS is '$(NAMED)'; make cannot use a path with white space or special characters in it. Name \
another folder, or a link to this one)
endif
ELSEWHERE :=
endif
FOLDER := $(if $(ELSEWHERE),$(ELSEWHERE:%/=%),outputs)
OUTPUTS := $(FOLDER)/$(PROFILE)
REPORTS := $(NOTEBOOKS:%=$(OUTPUTS)/%/.done)
# What the figures depend on, and what the pages are made from besides the figures. If only the second has changed, the
# pages are made anew in seconds.
RUNS := lib/runner.py lib/kernels.py lib/report/recorder.py $(wildcard $(addprefix lib/,$(addsuffix /*.py,core data models training evaluation)))
TELLS := lib/notebooks.py experiments/claims.yaml $(wildcard lib/claims/*.py lib/report/*.py lib/report/*.yaml lib/report/sentences/* lib/report/template/* notebooks/zh/*.md)
RENDERED := $(OUTPUTS)/.rendered
# Make compares times alone. So what is damaged or missing is found first, and its mark removed.
CHECKED = test ! -x $(BIN)/python || $(BIN)/python -m lib.core.published --profile $(PROFILE)
INSTALLED := $(VENV)/.installed-$(LOCK)

# Elsewhere other things may lie beside the reports: only the profiles' folders are looked into.
PROFILES := $(patsubst experiments/%/,%,$(wildcard experiments/*/))
RAN := outputs/* $(if $(ELSEWHERE),$(PROFILES:%=$(FOLDER)/%))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# A report that ran is kept, also if its page or the index could not be made.
.PRECIOUS: $(REPORTS)
# One notebook at a time, whatever -j says: two would spoil each other's timings.
.NOTPARALLEL:
.PHONY: help all report reports render lab compare smoke sweep bench test browser lint readme lock data bundle cache clean-cache clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  PROFILE=cpu|gpu|smoke picks the experiments; here it is $(PROFILE)."
	@echo "  LIMIT=60 ends a notebook that takes longer than so many minutes; without it there is no limit."

all: ## make the environment, run all notebooks, write the reports
	@$(CHECKED)
	@if $(MAKE) --no-print-directory -q reports 2>/dev/null; then \
		echo "Nothing to do: the reports are newer than all that they are made from."; \
	else \
		$(MAKE) --no-print-directory reports; \
	fi
	@echo "Reports: $(OUTPUTS)/index.html"

reports: $(RENDERED)

render: $(INSTALLED) ## make pages, index and README anew from what was measured, in seconds
	@$(BIN)/python -m lib.report.site --profile $(PROFILE)
	@$(if $(filter outputs/cpu,$(OUTPUTS)),$(BIN)/python -m lib.report.readme)

report: ## run one notebook and what it needs: make report NOTEBOOK=04_tang_poetry; ARGS="k=40" for a variant
	@case " $(NOTEBOOKS) " in *" $(NOTEBOOK) "*) ;; *) \
		echo "error: there is no notebook '$(NOTEBOOK)'; there are $(NOTEBOOKS)." >&2; exit 2;; esac
	@$(CHECKED)
ifdef ARGS
	@$(MAKE) --no-print-directory $(INSTALLED) $(patsubst %,$(OUTPUTS)/%/.done,$(call needs,$(NOTEBOOK)))
	@$(BIN)/python -m lib.runner $(NOTEBOOK) --profile $(PROFILE) $(LIMITED) $(ARGS)
else
	@$(MAKE) --no-print-directory $(OUTPUTS)/$(NOTEBOOK)/.done
	@echo "Report: $(OUTPUTS)/$(NOTEBOOK)/report.html"
endif

$(REPORTS): $(OUTPUTS)/%/.done: .make/%.code experiments/$(PROFILE)/%.yaml $(RUNS) $(INSTALLED)
	@$(BIN)/python -m lib.runner $* --profile $(PROFILE) $(LIMITED)

$(foreach one,$(NOTEBOOKS),$(eval $(OUTPUTS)/$(one)/.done: $(patsubst %,$(OUTPUTS)/%/.done,$(call needs,$(one)))))
$(OUTPUTS)/00_summary/.done: experiments/blog_post.yaml
$(OUTPUTS)/03_greedy_vs_top_k/.done: experiments/published.yaml

$(RENDERED): $(REPORTS) $(TELLS) $(NOTEBOOKS:%=notebooks/%.ipynb) $(INSTALLED)
	@$(BIN)/python -m lib.report.site --profile $(PROFILE)

# Where the profile or the YAML is misspelt, the runner says it better than make.
experiments/$(PROFILE)/%.yaml: | $(INSTALLED)
	@$(BIN)/python -m lib.runner $* --profile $(PROFILE)

lab: $(INSTALLED) ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

compare: $(INSTALLED) ## set two reports side by side: make compare A=03_greedy_vs_top_k B=03_greedy_vs_top_k@1f0c2d3e
	@test -n "$(A)" && test -n "$(B)" || { echo "error: name two reports of $(OUTPUTS): make compare A=... B=..." >&2; exit 2; }
	@$(BIN)/python -m lib.report.side_by_side "$(A)" "$(B)" --profile $(PROFILE)

smoke: ## run all notebooks on a tiny random model, in minutes
	@$(MAKE) --no-print-directory all PROFILE=smoke

sweep: $(INSTALLED) $(SWEEP_VENV)/.installed ## run a notebook over a grid of values and seeds: make sweep SWEEP=poem_seeds
	@test -n "$(SWEEP)" || { echo "error: name a file of experiments/sweeps/: make sweep SWEEP=poem_seeds" >&2; exit 2; }
	@$(BIN)/python -m lib.sweeps start "$(SWEEP)" --on "$(PROFILE_RUN)" --snakemake "$(SWEEP_VENV)/bin/snakemake" \
		$(if $(CORES),--cores "$(CORES)") $(if $(CHECK),--only-check)

bench: $(INSTALLED) $(BENCH_VENV)/.installed ## measure how much faster or slower this is than the post's KerasHub and transformers
	$(BIN)/python -m bench --peers $(BENCH_VENV)/bin/python
	$(BIN)/python -m lib.runner bench --profile $$($(BIN)/python -m bench.where)

test: $(VENV)/.installed-dev $(SWEEP_VENV)/.installed ## make the environment and run the tests
	SNAKEMAKE=$(abspath $(SWEEP_VENV))/bin/snakemake $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(PYTEST)

browser: $(VENV)/.installed-dev ## fetch a Chromium for the tests of the pages, where the system has none
	$(BIN)/playwright install chromium

lint: $(VENV)/.installed-dev ## check the code's style, the arrows between its rooms, and that the notebooks are stripped
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/nbstripout --verify notebooks/*.ipynb

ifdef BUNDLED
UNPACKED := $(VENV)/.bundle-$(word 3,$(BUNDLED))
$(UNPACKED): requirements/$(LOCK).txt pyproject.toml
	@$(PYTHON) -m lib.bundle.unpack "$(BUNDLE)" --environment "$(VENV)"
	@touch $@

$(INSTALLED): $(UNPACKED)
	@touch $@
else
$(INSTALLED): requirements/$(LOCK).txt pyproject.toml
	@$(RIGHT_PYTHON) || { echo "$(WRONG_PYTHON)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) (several minutes the first time)"
	@$(PIP) --require-hashes -r $< && $(PIP) --no-deps --no-build-isolation --editable . || { \
		echo "error: pip could not install requirements/$(LOCK).txt; check the network and how pip is set up" >&2; exit 2; }
	@touch $@
endif

$(VENV)/.installed-dev: requirements/dev.txt $(INSTALLED)
	@$(PIP) --require-hashes -r $<
	@touch $@

$(BENCH_VENV)/.installed: requirements/bench.txt requirements/bench-torch.txt
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@echo "Installing what the bench compares with into $(BENCH_VENV)"
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/bench-torch.txt
	@touch $@

$(SWEEP_VENV)/.installed: requirements/sweep.txt
	@test -x $(SWEEP_VENV)/bin/python || $(PYTHON) -m venv $(SWEEP_VENV)
	@echo "Installing Snakemake, which runs sweeps, into $(SWEEP_VENV)"
	@$(SWEEP_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

readme: $(INSTALLED) ## write the figures of outputs/cpu into the READMEs and docs/, and draw their picture
	$(BIN)/python -m lib.report.readme

lock: $(VENV)/.installed-dev ## resolve requirements/*.in anew and write the locks
	cd requirements && for name in cpu gpu dev bench sweep; do \
		../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-emit-index-url --upgrade $$name.in -o $$name.txt || exit 1; done

data: $(INSTALLED) ## fetch Reddit's stories from their mirror, check and prepare them
	@$(BIN)/python -m lib.data.reddit_tifu

bundle: $(INSTALLED) ## pack what `make all` needs on a machine without a network: make bundle PROFILE=gpu BUNDLE_PYTHON=3.12
	@$(BIN)/python -m lib.bundle "$(or $(BUNDLE),bundle)" --profile $(PROFILE) --lock $(BUNDLE_LOCK) \
		--platform $(BUNDLE_PLATFORM) $(if $(BUNDLE_PYTHON),--python $(BUNDLE_PYTHON)) \
		$(if $(HAVE),--have "$(HAVE)") $(if $(PART),--part $(PART))

cache: ## list what lies in the cache, with its size
	@$(PYTHON) -m lib.data.cache

clean-cache: ## remove all downloads, and say how much that frees
	@$(PYTHON) -m lib.data.cache --clean

clean: ## remove the environment and what runs left behind, but no report and no download
	rm -rf $(VENV) $(BENCH_VENV) $(SWEEP_VENV) $(sort outputs/smoke $(FOLDER)/smoke)
	rm -rf $(RAN:%=%/failed) $(RAN:%=%/*/model) $(RAN:%=%/.run-*)
	rm -rf $(foreach one,$(sort outputs $(FOLDER)),$(one)/sweep-*/runs/*/*/*/model $(one)/sweep-*/runs/*/*/failed)
	rm -rf .make
	find $(wildcard outputs $(FOLDER)) -name ".*.part" -delete
	rm -f $(RAN:%=%/*/.done) $(RAN:%=%/.rendered) $(RAN:%=%/.pages) $(RAN:%=%/.lock)
	find . -name __pycache__ -prune -exec rm -rf {} +
