# Makefile -- build netc, test it, show it, install it. `make help` lists the targets.

CC       ?= cc
prefix   ?= /usr/local
CFLAGS   ?= -O2 -g
WARNINGS  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
override CFLAGS += -std=c11 -D_GNU_SOURCE $(WARNINGS)
B        ?= build
LIBS      = -ljansson -lz -lm -ldl -lpthread

sources  := $(sort $(wildcard compiler/*/*.c) $(wildcard grammar/*.c) $(wildcard compiler/pipeline.c))
simd     := $(sort $(wildcard compiler/emit/simd/*.h))
runtime  := $(sort $(wildcard runtime/*.[ch]))
objects  := $(patsubst %.c,$(B)/obj/%.o,$(sources)) $(B)/obj/parser.o $(B)/obj/scanner.o $(B)/obj/prelude.o $(B)/obj/pasted.o
tests    := $(sort $(wildcard tests/unit/*.c))

all: $(B)/netc                     ## the compiler: build/netc

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

clean:                             ## remove build/
	rm -rf $(B)

help:                              ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

-include $(shell find $(B) -name '*.d' 2>/dev/null)
.PHONY: all clean help unit
.DELETE_ON_ERROR:
