# The targets that install, package and demonstrate. Included by the Makefile.

.PHONY: install uninstall demo image test-image test-fresh
PACKAGES := $(addprefix packages-,test bench instructions image conformance arm64 fuzz)
.PHONY: packages $(PACKAGES)

packages:
	@deploy/packages.sh build
$(PACKAGES): packages-%:
	@deploy/packages.sh $*

## demo        trains a small network on handwritten digits through the daemon
demo: packages
	@printf 'building, a minute or so at first: '
	@$(MAKE_ALL) -s all & \
	while kill -0 $$! 2>/dev/null; do printf .; sleep 1; done; echo; wait $$!
	@deploy/demo.sh

LIBDIR ?= $(PREFIX)/lib
TO := $(DESTDIR)$(PREFIX)
TO_LIB := $(DESTDIR)$(LIBDIR)
HEADERS := $(addprefix lib/gradient,.h _core.h _network.h _wire.h) client/gradient_client.h
LIBRARIES := libgradient libgradient-client
PC_FILES := gradient.pc gradient-client.pc
PC_WORDS = -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|'

## install     libraries, headers, pkg-config files, daemon and client, below DESTDIR and PREFIX
install: lib server client
	install -d $(TO)/bin $(TO)/include $(TO_LIB)/pkgconfig
	install $(BUILD)/gradientd $(BUILD)/gradient $(TO)/bin
	install -m 644 $(HEADERS) $(TO)/include
	install -m 644 $(LIBGRADIENT) $(LIBCLIENT) $(LIBGRADIENT_SO) $(LIBCLIENT_SO) $(TO_LIB)
	@for library in $(LIBRARIES); do \
		ln -sf $$library.so.$(VERSION) $(TO_LIB)/$$library.so.$(SOVERSION); \
		ln -sf $$library.so.$(SOVERSION) $(TO_LIB)/$$library.so; done
	@for file in $(PC_FILES); do \
		sed $(PC_WORDS) deploy/$$file.in > $(TO_LIB)/pkgconfig/$$file; done
	@[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || ldconfig

## uninstall   what install put there
uninstall:
	rm -f $(addprefix $(TO)/bin/,gradientd gradient)
	rm -f $(addprefix $(TO)/include/,$(notdir $(HEADERS)))
	rm -f $(foreach l,$(LIBRARIES),$(addprefix $(TO_LIB)/$l,.a .so .so.$(SOVERSION) .so.$(VERSION)))
	rm -f $(addprefix $(TO_LIB)/pkgconfig/,$(PC_FILES))

DOCKER ?= docker
IMAGE ?= gradientd
SOURCE ?=
PLATFORM ?=
IMAGE_ARGS = --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) \
	--build-arg SOURCE=$(SOURCE) --build-arg CREATED=$(shell date -u +%Y-%m-%dT%H:%M:%SZ) \
	--build-arg RUN_TESTS=$(or $(RUN_TESTS),0)

## image       the container image, tagged with the version and latest (PLATFORM=linux/arm64)
image:
	$(DOCKER) build $(addprefix --platform=,$(PLATFORM)) $(IMAGE_ARGS) \
		-t $(IMAGE):$(VERSION) -t $(IMAGE):latest .

## test-image  builds the image and tests it on a real Docker engine (starts one where none runs)
test-image: packages-image
	$(PYTHON) tests/container/test_image.py

## test-fresh  make demo and make test in fresh Debian 12, 13 and testing roots (FRESH_ONLY=word)
FRESH_ONLY ?=
FRESH_SUITES ?= bookworm trixie testing
test-fresh: packages-image
	FRESH_ONLY='$(FRESH_ONLY)' tests/container/fresh_root.sh $(FRESH_SUITES)
