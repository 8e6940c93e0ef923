# Thin wrappers: what they run is in tools/ and in meson.build. `make demo` and `make check` set everything up themselves.
.PHONY: all setup build demo check spec bench fuzz clean
all: build

setup:
	@tools/setup.sh

build: setup
	@tools/build.sh

demo: build
	@tools/demo.sh

check: build
	@tools/check.sh

spec: build
	@meson test -C build --suite spec --verbose

bench: build
	@meson test -C build --benchmark --verbose

fuzz: setup
	@tools/fuzz.sh $(SECONDS_EACH)

clean:
	rm -rf build build-san
