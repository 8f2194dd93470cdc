# Makefile -- build netc, test it, show it, install it. `make help` lists the targets.

CC       ?= cc
prefix   ?= /usr/local
CFLAGS   ?= -O2 -g
WARNINGS  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
override CFLAGS += -std=c11 -D_GNU_SOURCE $(WARNINGS)
B        ?= build
PYTHON   ?= python3
LIBS      = -ljansson -lz -lm -ldl -lpthread

sources  := $(sort $(wildcard compiler/*/*.c) $(wildcard grammar/*.c) $(wildcard compiler/pipeline.c))
simd     := $(sort $(wildcard compiler/emit/simd/*.h))
runtime  := $(sort $(wildcard runtime/*.[ch]))
objects  := $(patsubst %.c,$(B)/obj/%.o,$(sources)) $(B)/obj/parser.o $(B)/obj/scanner.o $(B)/obj/prelude.o $(B)/obj/pasted.o
tests    := $(sort $(wildcard tests/unit/*.c))

all: deps-build                    ## the compiler: build/netc
	@$(MAKE) --no-print-directory $(B)/netc

$(B)/netc: $(B)/obj/compiler/main.o $(B)/libnetc.a
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/libnetc.a: $(objects)
	@rm -f $@
	ar rcs $@ $^

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -I$(B)/gen -c -o $@ $<

# Generated sources. The scanner and the parser are held to fewer warnings: flex and bison wrote them.
$(B)/gen/parser.c $(B)/gen/parser.h &: grammar/net.y
	@mkdir -p $(B)/gen
	bison -Werror -o $(B)/gen/parser.c --header=$(B)/gen/parser.h $<
$(B)/gen/scanner.c $(B)/gen/scanner.h &: grammar/net.l
	@mkdir -p $(B)/gen
	flex -o $(B)/gen/scanner.c --header-file=$(B)/gen/scanner.h $<
$(B)/obj/parser.o $(B)/obj/scanner.o: $(B)/obj/%.o: $(B)/gen/%.c $(B)/gen/parser.h $(B)/gen/scanner.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Wno-conversion -Wno-sign-conversion -Wno-unused-function -Wno-unused-parameter -Wno-unused-but-set-variable -MMD -MP -I$(B)/gen -Igrammar -c -o $@ $<

# Text that netc carries inside itself: a C string per file.
quote = sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$$/\\n"/'
$(B)/gen/prelude.c: grammar/prelude.net
	@mkdir -p $(B)/gen
	{ echo 'extern const char prelude_text[];'; echo 'const char prelude_text[] ='; $(quote) $<; echo ';'; } > $@
$(B)/gen/pasted.c: $(simd) $(runtime) Makefile
	@mkdir -p $(B)/gen
	{ echo 'struct Pasted { const char *name, *text; }; extern const struct Pasted pasted_files[]; const struct Pasted pasted_files[] = {'; \
	  for f in $(simd) $(runtime); do echo "  { \"$${f##*/}\","; $(quote) $$f; echo '  },'; done; echo '  { 0, 0 } };'; } > $@
$(B)/obj/prelude.o $(B)/obj/pasted.o: $(B)/obj/%.o: $(B)/gen/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Wno-overlength-strings -c -o $@ $<

$(sources:%.c=$(B)/obj/%.o) $(B)/obj/compiler/main.o: | $(B)/gen/parser.h $(B)/gen/scanner.h

# Each file of tests/unit is a Check program of its own.
$(B)/tests/%: tests/unit/%.c $(B)/libnetc.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -MF $(B)/tests/$*.d -I$(B)/gen -o $@ $< $(B)/libnetc.a -lcheck -lsubunit -lrt $(LIBS)

unit: $(tests:tests/unit/%.c=$(B)/tests/%)
	@set -e; for t in $^; do $$t; done

# ---- what must be installed: names it, or installs it with apt as root or by sudo ----

have = sh share/need.sh
deps-build:
	@$(have) flex:flex bison:bison pkg-config:pkg-config /usr/include/jansson.h:libjansson-dev /usr/include/zlib.h:zlib1g-dev
deps-check: deps-build
	@$(have) /usr/include/check.h:check

# ---- tests ----

check: deps-check all              ## build and pass the quick tests (under three minutes)
	@$(MAKE) --no-print-directory $(tests:tests/unit/%.c=$(B)/tests/%) $(B)/tests/three
	@B=$(B) CC="$(CC)" sh tests/run.sh quick

check-all: deps-check all          ## all tests: sweeps, random nets, every compiler and target, fuzzing
	@$(MAKE) --no-print-directory $(tests:tests/unit/%.c=$(B)/tests/%) $(B)/tests/three
	@B=$(B) CC="$(CC)" sh tests/run.sh all

$(B)/tests/three: tests/three/three.c tests/three/driver.c tests/three/three.h $(B)/libnetc.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -I$(B)/gen -o $@ $(filter %.c %.a,$^) $(LIBS)

# ---- the demonstration: draw digits, learn them, ship them ----

D := $(B)/demo
demo: all                          ## draw digits, train on them, emit C with the weights inside, classify
	@mkdir -p $(D)
	@$(CC) -O2 -o $(D)/draw examples/digits/draw.c examples/digits/glyph.c -lm
	@echo "== drawing 6,000 digits to learn from and 1,000 to be tested on"
	@$(D)/draw 1 6000 $(D)/images.idx $(D)/labels.idx
	@$(D)/draw 2 1000 $(D)/test-images.idx $(D)/test-labels.idx
	@echo "== netc train examples/digits/digits.net"
	@$(B)/netc train examples/digits/digits.net image=$(D)/images.idx digit=$(D)/labels.idx \
	    --valid image=$(D)/test-images.idx digit=$(D)/test-labels.idx -o $(D)/digits.safetensors
	@echo "== netc emit: digits.h, digits_forward.c, digits_weights.c"
	@$(B)/netc emit examples/digits/digits.net -o $(D)/c --weights $(D)/digits.safetensors --embed inline
	@$(CC) -O2 -Iexamples/digits -I$(D)/c -o $(D)/classify examples/digits/classify.c examples/digits/glyph.c $(D)/c/*.c -lm
	@ls -l $(D)/classify | awk '{ print "== one binary of " $$5 " bytes: $(D)/classify" }'
	@$(D)/classify

bench: all                         ## time the emitted C of the examples, and beside it the peers that are installed
	@B=$(B) CC="$(CC)" sh tests/bench/run.sh
	@B=$(B) CC="$(CC)" $(PYTHON) tests/bench/peers.py
	@B=$(B) CC="$(CC)" $(PYTHON) tests/bench/primitives.py

bench-size: all                    ## how much C netc writes and what it costs to compile, a row of Markdown per program
	@B=$(B) sh tests/bench/size.sh

# ---- install ----

install: all                       ## into $(DESTDIR)$(prefix)
	install -d $(DESTDIR)$(prefix)/bin $(DESTDIR)$(prefix)/share/netc/runtime $(DESTDIR)$(prefix)/share/doc/netc
	install -m 755 $(B)/netc $(DESTDIR)$(prefix)/bin/netc
	install -m 644 $(runtime) $(DESTDIR)$(prefix)/share/netc/runtime
	install -m 644 grammar/prelude.net $(DESTDIR)$(prefix)/share/netc/prelude.net
	install -m 644 README.md docs/*.md $(DESTDIR)$(prefix)/share/doc/netc

uninstall:                         ## remove what install made
	rm -rf $(DESTDIR)$(prefix)/bin/netc $(DESTDIR)$(prefix)/share/netc $(DESTDIR)$(prefix)/share/doc/netc

clean:                             ## remove build/
	rm -rf $(B)

help:                              ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

-include $(shell find $(B) -name '*.d' 2>/dev/null)
.PHONY: all deps-build deps-check unit check check-all demo bench bench-size install uninstall clean help
.DELETE_ON_ERROR:
