// SPDX-License-Identifier: LGPL-2.1-or-later
//
// Writes classic BPF for seccomp at compile time. Jumps are forwards; a label is a number that is
// placed once and may be used before that.
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "ldso-hooks/loader/layout.h"

namespace plash::loader {

class FilterProgram {
 public:
  static constexpr unsigned max_instructions = 3072;
  static constexpr unsigned max_labels = 512;

  // Offsets of what can be loaded: the lower and upper half of an argument, the number, the
  // architecture.
  static constexpr unsigned number = 0;
  static constexpr unsigned architecture = 4;
  static constexpr unsigned low(unsigned argument) { return 16 + 8 * argument; }
  static constexpr unsigned high(unsigned argument) { return 20 + 8 * argument; }

  constexpr unsigned new_label() { return labels_++; }
  constexpr void place(unsigned label) { position_[label] = count_; }

  constexpr void load(unsigned offset) { add(BPF_LD | BPF_W | BPF_ABS, offset); }
  constexpr void give(unsigned action) { add(BPF_RET | BPF_K, action); }
  constexpr void give_error(unsigned error) { give(SECCOMP_RET_ERRNO | error); }
  constexpr void go(unsigned label) {
    label_[count_] = label + 1;
    add(BPF_JMP | BPF_JA, 0);
  }
  constexpr void go_if_equal(unsigned value, unsigned label) { go_if(BPF_JEQ, value, label, true); }
  constexpr void go_unless_equal(unsigned value, unsigned label) {
    go_if(BPF_JEQ, value, label, false);
  }
  constexpr void go_if_at_least(unsigned value, unsigned label) {
    go_if(BPF_JGE, value, label, true);
  }
  constexpr void go_if_any_bit(unsigned value, unsigned label) {
    go_if(BPF_JSET, value, label, true);
  }

  // Goes to label unless the instruction pointer lies in the loader.
  constexpr void go_unless_in_loader(unsigned label) {
    const unsigned inside = new_label();
    load(12);
    go_unless_equal(0, label);
    load(8);
    go_if_at_least(image_limit, label);
    go_if_at_least(image_start, inside);
    go(label);
    place(inside);
  }

  // Resolves the labels. To be called once, at the end.
  constexpr void finish() {
    for (unsigned i = 0; i < count_; ++i) {
      if (label_[i] != 0) instructions_[i].k = position_[label_[i] - 1] - i - 1;
    }
  }

  constexpr unsigned count() const { return count_; }
  constexpr const sock_filter *instructions() const { return instructions_; }

 private:
  constexpr void add(unsigned code, unsigned k) {
    instructions_[count_++] = {static_cast<unsigned short>(code), 0, 0, k};
  }
  // A conditional jump reaches 255 instructions: it skips a jump that reaches all.
  constexpr void go_if(unsigned condition, unsigned value, unsigned label, bool when) {
    instructions_[count_++] = {static_cast<unsigned short>(BPF_JMP | condition | BPF_K),
                               static_cast<unsigned char>(when ? 0 : 1),
                               static_cast<unsigned char>(when ? 1 : 0), value};
    go(label);
  }

  sock_filter instructions_[max_instructions] = {};
  unsigned label_[max_instructions] = {};
  unsigned position_[max_labels] = {};
  unsigned count_ = 0;
  unsigned labels_ = 0;
};

// The instructions that a Writer (a class whose constructor writes its member `program`) makes,
// without what it needed for labels.
template <class Writer>
struct Instructions {
  static constexpr unsigned short count = static_cast<unsigned short>(Writer().program.count());
  sock_filter list[count] = {};
  constexpr Instructions() {
    const Writer writer;
    for (unsigned i = 0; i < count; ++i) list[i] = writer.program.instructions()[i];
  }
  sock_fprog program() const { return {count, const_cast<sock_filter *>(list)}; }
};

}  // namespace plash::loader
