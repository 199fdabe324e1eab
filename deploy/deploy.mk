# The targets that install, package and demonstrate. Included by the Makefile.

.PHONY: install uninstall demo image test-image test-fresh
.PHONY: packages packages-test packages-bench packages-image

packages:
	@deploy/packages.sh build
packages-test packages-bench packages-image: packages-%:
	@deploy/packages.sh $*
