# `make demo` and `make test` each do all their own set-up; see README.md.
# LIBTORCH or LIBTORCH_USE_PYTORCH, where set, are honoured; CUDA=1 gets libtorch's CUDA libraries without a GPU here.

.PHONY: help demo test build install libtorch lint bench soak

QUICKSTART := pipelines/quickstart.yaml
# Sets LIBTORCH for the commands behind it. `cargo` alone finds the same folder through .cargo/config.toml.
TORCH := LIBTORCH="$$(scripts/libtorch.sh)" && if [ -n "$$LIBTORCH" ]; then export LIBTORCH; else unset LIBTORCH; fi &&

help:
	@echo "make demo     get libtorch, build, run $(QUICKSTART), print its tables"
	@echo "make test     get libtorch, build, run every test"
	@echo "make install  put pipeline and pipeline-worker into ~/.cargo/bin"
	@echo "make bench    the benchmarks; see benches/README.md"
	@echo "make soak     the long form of the kill tests"

libtorch:
	@scripts/libtorch.sh

build:
	@$(TORCH) cargo build --release --workspace

demo: build
	@target/release/pipeline run $(QUICKSTART)
	@echo "try:     target/release/pipeline plan $(QUICKSTART) --set 'stages.spt.tune.alpha=0.5'"

# Builds both programs as well: their own integration tests ask for them.
test:
	@$(TORCH) cargo test --release --workspace

lint:
	cargo fmt --all --check
	@$(TORCH) cargo clippy --release --workspace --all-targets -- -D warnings

# Not `cargo install`: by itself each program has other features of what both use, which would be compiled once more.
install: build
	@bin="$${CARGO_INSTALL_ROOT:-$${CARGO_HOME:-$$HOME/.cargo}}/bin" && mkdir -p "$$bin" && \
	install $(addprefix "$${CARGO_TARGET_DIR:-target}"/release/,pipeline pipeline-worker) "$$bin" && \
	echo "installed pipeline and pipeline-worker in $$bin" && \
	case ":$$PATH:" in *":$$bin:"*) ;; *) echo "to find them: export PATH=\"$$bin:\$$PATH\"" ;; esac

bench: build
	@$(TORCH) cargo bench -p pixels && cargo bench -p page && cargo bench -p pipeline && cargo bench -p pipeline-worker

soak: build
	@scripts/soak.sh
