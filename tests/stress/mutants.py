#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Breaks a copy of protocol/call.cc or, for names that begin with kept_, protocol/kept_call.cc in one deliberate way.

    mutants.py list call|kept           names, one a line
    mutants.py make NAME SOURCE OUTPUT  writes the mutant

Each mutant is a list of replacements. A text that does not stand exactly once in the source is an error: the source has
changed and the mutant must be looked at again.
"""
import sys

MUTANTS = {
    # A buffer that calls share: another call's descriptors are sent or taken.
    'static_buffer': [('  SmallControl small;\n', '  static SmallControl small;\n')],
    # The receiving end is not closed.
    'missing_close': [('  internal::close_descriptor(receive_end);\n  return result;', '  return result;')],
    # ... or only where all went well.
    'missing_close_on_error': [
        ('  internal::close_descriptor(receive_end);\n  return result;',
         '  if (result == 0) internal::close_descriptor(receive_end);\n  return result;')],
    # The descriptors of a reply that is refused stay open.
    'reply_descriptors_kept_on_error': [
        ('      internal::close_descriptors(message_.reply_descriptors, received_descriptors_);\n', '')],
    # A signal handler ends the wait for the reply.
    'eintr_not_retried': [
        ('      interrupted_ = true;\n', '      interrupted_ = true;\n      if (!waiting_) return size;\n')],
    # ... or the sending of the request.
    'eintr_of_sendmsg_not_retried': [('      if (result == -EINTR) continue;', '      if (result == -EINTR) return result;')],
    # One pair of sockets for the replies to all calls.
    'reused_reply_socket': [
        ('  int pair[2];\n  long result =\n', '  static int pair[2] = {-1, -1};\n  long result = pair[0] >= 0 ? 0 :\n'),
        ('  internal::close_descriptor(send_end);\n', ''),
        ('  internal::close_descriptor(receive_end);\n  return result;', '  return result;')],
    # A lock around the call: a handler waits for what it has interrupted.
    'lock': [
        ('long call(int object, Call &message) noexcept {\n',
         'static int lock_word;\n'
         'struct Lock {\n'
         '  Lock() noexcept {\n'
         '    while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE) != 0) system_call(__NR_sched_yield);\n'
         '  }\n'
         '  ~Lock() { __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE); }\n'
         '};\n'
         'long call(int object, Call &message) noexcept {\n'
         '  const Lock lock;\n')],
    # The sending end is kept until the reply has come: its descriptor takes a higher number than the kernel's would.
    'late_close': [
        ('  internal::close_descriptor(send_end);\n', ''),
        ('  internal::close_descriptor(receive_end);\n  return result;',
         '  internal::close_descriptor(send_end);\n  internal::close_descriptor(receive_end);\n  return result;')],
    # Lost descriptors are not noticed.
    'lost_descriptors_ignored': [('    if ((packet.msg_flags & MSG_CTRUNC) != 0) {', '    if (false) {')],
    # Everybody takes the first session, whoever has it: handlers and threads get each other's replies.
    'kept_session_not_claimed': [
        ('    if (__atomic_load_n(&slot.state, __ATOMIC_RELAXED) == SessionSlot::free &&\n', '    if (slot.state == SessionSlot::busy || ('),
        ('                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {\n      return &slot;',
         '                                    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {\n      return &slot;')],
    # A signal ends the wait for the reply, which the next call takes for its own.
    'kept_eintr_not_retried': [('      } else if (size != -EINTR) {', '      } else {')],
    # One whose reply was lost is used again.
    'kept_lost_session_used_again': [
        ('      system_call(__NR_shutdown, descriptor_, SHUT_RDWR);\n', '      give_back(slot_);\n')],
    # Lost descriptors are not noticed.
    'kept_lost_descriptors_ignored': [('    if ((packet.msg_flags & MSG_CTRUNC) != 0)\n', '    if (false)\n')],
    # What could not be sent is an error instead of a plain call.
    'kept_unsent_not_called_plainly': [('give_back(slot_);\n      return plainly;', 'give_back(slot_);\n      return result;')],
}


def make(name, source, output):
    with open(source, encoding='utf-8') as file:
        text = file.read()
    for old, new in MUTANTS[name]:
        if text.count(old) != 1:
            sys.exit(f'{source}: the text that the mutant {name} replaces stands there {text.count(old)} times:\n{old}')
        text = text.replace(old, new)
    with open(output, 'w', encoding='utf-8') as file:
        file.write(text)


if __name__ == '__main__':
    if len(sys.argv) == 3 and sys.argv[1] == 'list' and sys.argv[2] in ('call', 'kept'):
        print('\n'.join(name for name in MUTANTS if name.startswith('kept_') == (sys.argv[2] == 'kept')))
    elif len(sys.argv) == 5 and sys.argv[1] == 'make' and sys.argv[2] in MUTANTS:
        make(*sys.argv[2:])
    else:
        sys.exit(__doc__)
