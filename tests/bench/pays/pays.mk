# What a step of training costs at home and at the service.

.PHONY: when-it-pays
## when-it-pays  a step of training at home and at the service, in each form, over three links
when-it-pays: packages-bench server
	@$(PYTHON) tests/bench/pays/pays.py $(BUILD)
