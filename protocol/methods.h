// SPDX-License-Identifier: LGPL-2.1-or-later
//
// A type for each method of methods.def, with its code, the object that it belongs to, and
// structures for request and reply. A structure's visit(fields, visitor) calls visitor(name, kind,
// field) for each field in order. Descriptor fields are -1 where absent and are not owned by the
// structure.
#pragma once

#include <cstdint>

#include "protocol/marshal.h"
#include "protocol/packet.h"

namespace plash {

enum class ObjectType : std::uint8_t { FsOp, Directory, Echo };

namespace methods {

#define NOTHING

// One structure for each list of fields: the table is read twice, once for the members, once for
// visit().
#define PLASH_METHOD(Name, Code, Object, Interruptible, RequestFields, ReplyFields, Text) \
  struct Name##RequestMembers {                                                           \
    RequestFields                                                                         \
  };                                                                                      \
  struct Name##ReplyMembers {                                                             \
    ReplyFields                                                                           \
  };
#define WORD(name) std::uint64_t name = 0;
#define NUMBER(name) std::int64_t name = 0;
#define PATH(name) Bytes name;
#define BYTES(name) Bytes name;
#define DESCRIPTOR(name) int name = -1;
#define DESCRIPTORS(name) Descriptors name;
#include "protocol/methods.def"
#undef WORD
#undef NUMBER
#undef PATH
#undef BYTES
#undef DESCRIPTOR
#undef DESCRIPTORS

#define WORD(name) visitor(#name, FieldKind::word, self.name);
#define NUMBER(name) visitor(#name, FieldKind::number, self.name);
#define PATH(name) visitor(#name, FieldKind::path, self.name);
#define BYTES(name) visitor(#name, FieldKind::bytes, self.name);
#define DESCRIPTOR(name) visitor(#name, FieldKind::descriptor, self.name);
#define DESCRIPTORS(name) visitor(#name, FieldKind::descriptors, self.name);
#define PLASH_METHOD(Name, Code, Object, Interruptible, RequestFields, ReplyFields, Text)         \
  struct Name {                                                                                   \
    static constexpr std::uint32_t code = code_of(Code);                                          \
    static constexpr const char *name = #Name;                                                    \
    static constexpr ObjectType object = ObjectType::Object;                                      \
    static constexpr bool interruptible = Interruptible != 0;                                     \
    struct Request : Name##RequestMembers {                                                       \
      static constexpr void visit([[maybe_unused]] auto &self, [[maybe_unused]] auto &&visitor) { \
        RequestFields                                                                             \
      }                                                                                           \
    };                                                                                            \
    struct Reply : Name##ReplyMembers {                                                           \
      static constexpr void visit([[maybe_unused]] auto &self, [[maybe_unused]] auto &&visitor) { \
        ReplyFields                                                                               \
      }                                                                                           \
    };                                                                                            \
  };
#include "protocol/methods.def"
#undef WORD
#undef NUMBER
#undef PATH
#undef BYTES
#undef DESCRIPTOR
#undef DESCRIPTORS
#undef NOTHING

}  // namespace methods

// Calls visitor.operator()<Method>() for each method of the table.
template <class Visitor>
constexpr void for_each_method(Visitor &&visitor) {
#define PLASH_METHOD(Name, Code, Object, Interruptible, RequestFields, ReplyFields, Text) \
  visitor.template operator()<methods::Name>();
#include "protocol/methods.def"
}

}  // namespace plash
