# The targets that install, package and demonstrate. Included by the Makefile.

.PHONY: install demo image test-image packages packages-test

## install     libraries, headers, pkg-config files, daemon and client below PREFIX
install:
	@false
packages packages-test:
	@true
