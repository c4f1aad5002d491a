# Peel. `make help` lists what there is to make.
#
# MODE=release (default), asan, tsan or analyze chooses the flags and the folder under build/.
MODE ?= release
B := build/$(MODE)
CC ?= cc
PKGS := libmicrohttpd libcurl libcrypto jansson sqlite3 libpq libsodium libutf8proc libxxhash libjpeg libpng libwebp libwebpdemux libwebpmux libheif vpx librsvg-2.0 rlottie libxml-2.0 libarchive gmp libqrencode libzstd

GCC := $(firstword $(subst ., ,$(shell $(CC) -dumpversion)))
# Nothing in the program depends on the folder that it is built in.
CFLAGS_release := -O2 -g -ffile-prefix-map=$(CURDIR)=.
# clang's, so that the fuzz targets, which need them, are of the same objects as what else runs with these sanitizers.
CFLAGS_asan := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
CFLAGS_tsan := -O1 -g1 -fno-omit-frame-pointer -fsanitize=thread
CFLAGS_analyze = -O1 -fanalyzer $(if $(filter 12,$(GCC)),-Werror)
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes -Wvla $(if $(WERROR),-Werror)
ifeq ($(MODE),tsan)
export TSAN_OPTIONS := suppressions=$(abspath tests/tsan.supp)
endif
ifeq ($(MODE),asan)
export LSAN_OPTIONS := suppressions=$(abspath tests/lsan.supp)
CC := clang
WARN := # those of gcc, which the code is kept free of
endif
ifeq ($(MODE),analyze)
CC := gcc
WARN := # the analyzer's alone
ANALYZE := -include tests/analyze.h
endif
CPPFLAGS += -Isrc -I$(B)/gen -D_GNU_SOURCE $(ANALYZE) $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(PKGS)))
# What makes a fault harder to use, where the compiler has it; sanitizers check more, and do not go with FORTIFY_SOURCE.
HARDEN_release := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(if $(filter 9 10 11,$(GCC)),2,3) -fstack-clash-protection \
	$(if $(filter x86_64,$(shell uname -m)),-fcf-protection)
CFLAGS += -std=c17 $(CFLAGS_$(MODE)) $(WARN) -fstack-protector-strong $(HARDEN_$(MODE)) -pthread -MMD -MP
LDFLAGS += $(filter -fsanitize%,$(CFLAGS_$(MODE))) -pthread -Wl,-z,relro,-z,now
LDLIBS += $(shell pkg-config --libs $(PKGS)) -lgif -lstemmer -lz -lm

SRC := $(wildcard src/*/*.c src/*/*/*.c)
# Templates, static files and the documentation become C (see docs/TEMPLATES.md).
GEN := $(B)/gen/web
TEMPLATES := $(wildcard web/templates/*.html)
MESSAGES := web/messages/en.ini $(filter-out web/messages/en.ini,$(wildcard web/messages/*.ini))
STATIC := $(wildcard web/static/*) clients/js/peel-client.js docs/openapi.json
HOSTCC ?= $(CC)
HOST_CFLAGS := -std=c17 -O1 -g $(WARN) -D_GNU_SOURCE -Isrc
HOST_BASE := src/base/buf.c src/base/status.c $(wildcard src/base/*.h)
MANUAL := $(wildcard docs/*.md docs/howto/*.md) CHANGELOG.md
GEN_OBJ := $(GEN)/templates.o $(GEN)/messages_gen.o $(GEN)/assets_gen.o $(GEN)/manual_gen.o $(GEN)/chars_gen.o
OBJ := $(SRC:%.c=$(B)/%.o) $(GEN_OBJ)
LIBOBJ := $(filter-out $(B)/src/cmd/main.o,$(OBJ))
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
BENCH := $(patsubst %.c,$(B)/%,$(wildcard bench/*.c))
FUZZ := $(patsubst tests/fuzz/%.c,build/asan/tests/%,$(wildcard tests/fuzz/fuzz_*.c))

comma := ,

# `make V=1` shows the commands.
Q := $(if $(V),,@)

all: $(if $(filter release,$(MODE)),peel,$(B)/peel) ## the program, ./peel

peel: $(B)/peel
	@cp -f $< $@

$(B)/peel: $(B)/src/cmd/main.o $(B)/libpeel.a
	@echo '  LD  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(B)/libpeel.a: $(LIBOBJ)
	@rm -f $@
	@ar rcs $@ $^

$(B)/tools/templates: tools/templates.c $(wildcard tools/template*.[ch]) src/web/plural.c src/web/plural.h $(HOST_BASE)
	@mkdir -p $(@D)
	@echo '  HOSTCC $@'
	$(Q)$(HOSTCC) $(HOST_CFLAGS) -o $@ $(filter %.c,$^)

$(B)/tools/embed: tools/embed.c $(HOST_BASE) src/base/os.c
	@mkdir -p $(@D)
	@echo '  HOSTCC $@'
	$(Q)$(HOSTCC) $(HOST_CFLAGS) -o $@ $(filter %.c,$^) -lsodium -lz

$(GEN)/templates.h $(GEN)/templates.c $(GEN)/messages_gen.h $(GEN)/messages_gen.c &: $(B)/tools/templates $(TEMPLATES) $(MESSAGES) $(wildcard web/static)
	@mkdir -p $(@D)
	@echo '  GEN $(GEN)/templates.c'
	$(Q)$(B)/tools/templates web/static $(GEN) $(MESSAGES) $(TEMPLATES)

$(GEN)/assets_gen.h $(GEN)/assets_gen.c &: $(B)/tools/embed $(STATIC)
	@mkdir -p $(@D)
	@echo '  GEN $(GEN)/assets_gen.c'
	$(Q)$(B)/tools/embed $(GEN) $(STATIC)

$(B)/tools/manual: tools/manual.c $(HOST_BASE) src/base/os.c
	@mkdir -p $(@D)
	@echo '  HOSTCC $@'
	$(Q)$(HOSTCC) $(HOST_CFLAGS) -o $@ $(filter %.c,$^) -lsodium -lmd4c-html

$(GEN)/manual_gen.c: $(B)/tools/manual $(MANUAL) $(wildcard docs docs/howto)
	@mkdir -p $(@D)
	@echo '  GEN $(GEN)/manual_gen.c'
	$(Q)$(B)/tools/manual $(GEN) $(MANUAL)

$(B)/tools/chars: tools/chars.c src/text/normal.c src/base/utf8.c $(wildcard src/base/*.h) src/text/chars.h src/text/normal.h
	@mkdir -p $(@D)
	@echo '  HOSTCC $@'
	$(Q)$(HOSTCC) $(HOST_CFLAGS) -o $@ $(filter %.c,$^) -lutf8proc

$(GEN)/chars_gen.c: $(B)/tools/chars
	@mkdir -p $(@D)
	@echo '  GEN $(GEN)/chars_gen.c'
	$(Q)$(B)/tools/chars >$@.part && mv $@.part $@

$(GEN)/%.o: $(GEN)/%.c
	@echo '  CC  $<'
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(OBJ): | $(GEN)/templates.h $(GEN)/messages_gen.h $(GEN)/assets_gen.h

# Kernels are compiled for their instruction set and reached only by run-time dispatch.
ifneq (,$(findstring x86_64,$(shell $(CC) -dumpmachine)))
$(B)/src/model/kernels/avx%.o: CFLAGS += -ffp-contract=fast
$(B)/src/model/kernels/avx2.o $(B)/src/model/kernels/avx2_int8.o $(B)/src/vectors/scan_avx2.o: CFLAGS += -mavx2 -mfma -mf16c
$(B)/src/image/resize_avx2.o: CFLAGS += -mavx2
$(B)/src/model/kernels/avx512.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
$(B)/src/model/kernels/avx512_bf16.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mfma
$(B)/src/model/kernels/avx512_vnni.o $(B)/src/vectors/scan_vnni.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mfma
endif

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo '  CC  $<'
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Benchmarks: bench/NAME.c becomes build/release/bench/NAME.
$(B)/bench/%: bench/%.c $(B)/libpeel.a
	@mkdir -p $(@D)
	@echo '  CC  $<'
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libpeel.a $(LDLIBS)

$(B)/tests/%: tests/unit/%.c $(B)/libpeel.a $(B)/tools/templates
	@mkdir -p $(@D)
	@echo '  CC  $<'
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libpeel.a -lcmocka $(LDLIBS)

# Programs in which one allocation fails on order (tests/torture/torture.c): unit tests, and the program itself.
WRAP := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc reallocarray aligned_alloc strdup strndup asprintf)
$(B)/torture/peel: $(B)/src/cmd/main.o $(B)/tests/torture/torture.o $(B)/libpeel.a
	@mkdir -p $(@D)
	@echo '  LD  $@'
	$(Q)$(CC) $(LDFLAGS) $(WRAP) -o $@ $^ $(LDLIBS)

$(B)/torture/%: tests/unit/%.c $(B)/tests/torture/torture.o $(B)/libpeel.a tests/torture/spare.h
	@mkdir -p $(@D)
	@echo '  CC  $< (torture)'
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit -include tests/torture/spare.h $(CFLAGS) $(LDFLAGS) $(WRAP) -o $@ $< $(B)/tests/torture/torture.o $(B)/libpeel.a -lcmocka $(LDLIBS)

TORTURED := base config messages web words text synonyms worker eval rank query_language document_text find_pins library safetensors wordnet multipart packs
TORTURE := $(TORTURED:%=$(B)/torture/test_%)
torture-unit: $(TORTURE)
	@python3 tests/torture/torture.py $(TORTURE)

torture: all $(B)/torture/peel ## let every allocation fail in turn, in unit tests and services; PEEL_TORTURE_RUNS of each bounds it
	@$(MAKE) MODE=asan torture-unit PEEL_TORTURE_RUNS=$(or $(PEEL_TORTURE_RUNS),0)
	@PEEL=$(abspath $(B)/peel) PEEL_TEST_SLOW=2 PEEL_TORTURE_RUNS=$(or $(PEEL_TORTURE_RUNS),0) sh tests/run.sh api tests/api/test_torture.py

test-reference: $(B)/tests/test_clip ## the encoders against PyTorch, golden values derived again (python3-torch)
	sh tests/golden/reference.sh $<

# The thread sanitizer has nothing to say about one thread, nor about what it sees in the API tests again.
ifeq ($(MODE),tsan)
UNIT := $(patsubst %,$(B)/tests/test_%,base bucket catalog collection http_client http_gone http_server kernels meanings \
	rank rate_limit sandbox search_service search_service_models search_service_phrases search_service_texts shed \
	sticker_answers store_feedback store_files store_search vectors web worker)
endif
unit: $(UNIT) ## build and run the unit tests
	@sh tests/run.sh unit $(UNIT)

# API tests by when scripts/test.sh runs them: those that take long by themselves, the longest first, so that no processor
# waits for the last one,
SLOW := $(patsubst %,tests/api/test_%.py,import postgres_sticker store_copy relevance sandbox schema release languages kills \
	model_pypi chaos_bucket backup pgvector admin_sessions chaos postgres_search overload balanced admin_upload powercut)
# and the others; test_torture.py is `make torture`.
FAST := $(filter-out $(SLOW) tests/api/test_torture.py,$(wildcard tests/api/test_*.py))
# What the sanitizers, which take ten times as long, see of the API: each room once, and of threads what many use at once.
SANITIZED := $(patsubst %,tests/api/test_%.py,embeddings sticker_api sticker_crowd sticker_search_peer \
	$(if $(filter asan,$(MODE)),admin bad_input curation events explain gallery model protection sticker_media))
API := $(if $(filter release,$(MODE)),$(SLOW) $(FAST),$(SANITIZED))
api: all $(B)/tests/test_bucket $(B)/tests/test_store_search $(B)/tests/test_store_stickers $(B)/tests/test_store_upgrade $(B)/tests/test_store_feedback $(B)/tests/test_store_events $(B)/tests/test_store_experiments $(B)/tests/test_store_webhooks $(B)/tests/test_learn $(B)/tests/test_training $(B)/tests/test_store_curation $(B)/tests/test_store_history $(B)/tests/test_search_service_models $(B)/tests/test_search_service_phrases $(B)/tests/test_pgvector $(B)/bench/words $(B)/torture/peel ## run the API tests, which start the program on free ports
	@PEEL=$(abspath $(B)/peel) PEEL_TEST_MODE=$(MODE) PEEL_TEST_SLOW=$(if $(filter release,$(MODE)),2,6) sh tests/run.sh api $(API)

includes: ## check who includes whom under src/
	@sh tests/check_includes.sh

makefile-check: ## check the flags, the tracked headers and compile_commands.json
	@sh tests/check_makefile.sh

# Each file by itself, all findings at once (-k). They are errors with gcc 12; other versions may raise other false
# alarms, which are only shown.
analyze: ## gcc -fanalyzer finds nothing
	@$(MAKE) -k MODE=analyze analyzed

# tests/analyze.h would replace the functions that this file defines.
build/analyze/src/base/status.o: ANALYZE :=
# What the analyzer of gcc 12 gets wrong, by file. It loses a block whose only pointer lies in an array that was
# reallocated, or in one that is reached through an atomic or a copied struct:
build/analyze/src/rank/meanings_file.o build/analyze/src/rank/meanings_score.o build/analyze/src/import/packs_words.o build/analyze/src/import/import_find.o build/analyze/src/search_service/catalog.o build/analyze/src/base/sorter.o: CFLAGS += -Wno-analyzer-malloc-leak
build/analyze/src/vectors/vectors_exact.o build/analyze/src/vectors/vectors_file.o build/analyze/src/vectors/vectors_search.o: CFLAGS += -Wno-analyzer-malloc-leak
# And a file that one of an array of structs holds:
build/analyze/src/training/training_write.o: CFLAGS += -Wno-analyzer-malloc-leak -Wno-analyzer-file-leak
# It takes the -1 with which iconv_open() fails for a block:
build/analyze/src/base/charset.o: CFLAGS += -Wno-analyzer-malloc-leak
# It does not see that a loop reads no further than an earlier one wrote:
build/analyze/src/tokenize/bpe.o build/analyze/src/vectors/vectors_search.o build/analyze/src/image/resize.o: CFLAGS += -Wno-analyzer-use-of-uninitialized-value
# It takes a shift of each of a vector's lanes for one of the vector:
build/analyze/src/model/kernels/avx%.o: CFLAGS += -Wno-analyzer-shift-count-overflow
# It does not see that rows were counted only where there are some, or which pieces of SQL have no marks:
build/analyze/src/sticker_store/sticker_store.o build/analyze/src/sticker_store/sticker_admin_lists.o: CFLAGS += -Wno-analyzer-null-dereference

analyzed: $(OBJ)
	@echo 'analyzer: $(if $(filter 12,$(GCC)),no findings,gcc $(GCC) is not the version whose false alarms are known)'

# For editors and tools. How each file is compiled is taken from what make would do; of a file that is compiled in
# several modes the first counts.
compile_commands.json: Makefile scripts/compile_commands.sh $(SRC) ## how each file is compiled, for editors
	@{ $(MAKE) -s -n -B all $(UNIT) $(BENCH) && $(MAKE) -s -n -B MODE=asan $(FUZZ); } | sh scripts/compile_commands.sh >$@

fuzz: ## run each fuzz target FUZZ_SECONDS (10) long from its corpus
	@$(MAKE) MODE=asan $(FUZZ)
	@sh tests/run.sh fuzz $(FUZZ)

build/asan/tests/fuzz_%: tests/fuzz/fuzz_%.c build/asan/libpeel.a
	@mkdir -p $(@D)
	@echo '  CC  $<'
	$(Q)$(CC) $(CPPFLAGS) -Itests/unit $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< build/asan/libpeel.a $(LDLIBS)

-include $(OBJ:.o=.d) $(UNIT:=.d) $(BENCH:=.d) $(FUZZ:=.d)

# Manual pages and shell completion, from the program's own tables.
PREFIX ?= /usr/local
MAN := build/man
man: all ## manual pages into build/man
	@mkdir -p $(MAN)
	@./peel help --man >$(MAN)/peel.1
	@for c in $$(./peel help | sed -n 's/^  \([a-z-]*\) .*/\1/p'); do ./peel help --man $$c >$(MAN)/peel-$$c.1 || exit 1; done

install: all man ## the program, its starter model, manual pages, shell completion and systemd units, below PREFIX (/usr/local)
	@install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/peel/models/starter $(DESTDIR)$(PREFIX)/share/man/man1
	@install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	@install -d $(addprefix $(DESTDIR)$(PREFIX)/lib/,systemd/system sysusers.d tmpfiles.d)
	@install -m 755 peel $(DESTDIR)$(PREFIX)/bin/peel
	@install -m 644 models/starter/* $(DESTDIR)$(PREFIX)/share/peel/models/starter/
	@install -m 644 $(MAN)/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	@./peel completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/peel
	@./peel completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_peel
	@./peel completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/peel.fish
	@for u in sticker search; do sed 's|/usr/local/bin/|$(PREFIX)/bin/|' deploy/systemd/peel-$$u.service >$(DESTDIR)$(PREFIX)/lib/systemd/system/peel-$$u.service || exit 1; done
	@for d in sysusers.d tmpfiles.d; do install -m 644 deploy/systemd/$$d/peel.conf $(DESTDIR)$(PREFIX)/lib/$$d/ || exit 1; done
	@echo 'installed below $(DESTDIR)$(PREFIX)'

deb: all ## a Debian package, into build/ (needs debhelper)
	@sh scripts/deb.sh build

release: ## from the newest commit into build/dist: source, program, Debian package, list of components, checksums
	@sh scripts/release.sh build/dist

reproducible: ## two releases of the newest commit, built in different folders, have the same bytes
	@sh scripts/reproducible.sh

run: ## everything from a fresh machine to a served page
	sh scripts/run.sh

test: ## all tests, or NAME="unit test_text"; installs what they need; NAME=help lists them
	sh scripts/test.sh $(NAME)

asan tsan: ## build with a sanitizer and run the unit and API tests
	$(MAKE) MODE=$@ check

check: all includes unit api ## what needs no network and no browser

screenshots: all ## pictures of every page into screenshots/ (needs chromium and node)
	python3 tests/browser/screenshots.py

soak: all ## SOAK_SECONDS (600) at 80% of capacity, then OVERLOAD_SECONDS (8) of five times as much (needs wrk); with SOAK_HOURS a night of that, fuzzing and faults
ifdef SOAK_HOURS
	@$(MAKE) MODE=asan $(FUZZ)
	@$(if $(SOAK_TSAN),$(MAKE) MODE=tsan all)
	PEEL=$(abspath $(B)/peel) PEEL_TEST_SLOW=6 SOAK_HOURS=$(SOAK_HOURS) python3 tests/soak_night.py
else
	PEEL=$(abspath $(B)/peel) PEEL_TEST_SLOW=2 python3 tests/soak.py
endif

bench: all ## measurements with ratios
	sh bench/run.sh

format-check: ## clang-format finds nothing to change
	clang-format --dry-run --Werror $$(git ls-files 'src/*.[ch]' 'tests/*.[ch]' 'tools/*.[ch]' 'bench/*.[ch]')

clean:
	rm -rf build peel

help: ## this list
	@sed -n 's/^\([a-z-]*\( [a-z-]*\)*\):.*## \(.*\)/\1\t\3/p' Makefile | expand -t 20

.PHONY: torture torture-unit man install deb release reproducible all unit api includes makefile-check analyze analyzed fuzz soak test-reference run test asan tsan check bench format-check clean help screenshots
.DELETE_ON_ERROR:
