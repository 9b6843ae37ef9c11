// Messages of a stop.
#include "engine_stop.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>

namespace h5score::run {

void StopWish::tell_root() {
  if (told_ || ordered_ || !options_.stop_requested || !options_.stop_requested()) return;
  told_ = true;
  requests_.push_back(comm_.send({&wish_, 1}, 0, comm::Tag::stop));
}

void StopWish::receive_order(const comm::Envelope& envelope) {
  if (envelope.tag != comm::Tag::control || envelope.bytes != 1)
    throw base::Error(base::ExitCode::internal, "a worker got a message that it did not expect");
  receive(stopped_, envelope.source, comm::Tag::control);
  ordered_ = true;
}

bool StopWish::accept(const comm::Envelope& envelope) {
  if (envelope.tag != comm::Tag::stop || envelope.bytes != 1) return false;
  receive(wish_, envelope.source, comm::Tag::stop);
  heard_[envelope.source] = true;
  wanted_ = true;
  return true;
}

bool StopWish::requested() {
  wanted_ = wanted_ || (options_.stop_requested && options_.stop_requested());
  return wanted_;
}

void StopWish::order(bool stop) {
  if (ordered_) return;
  ordered_ = true;
  stopped_ = static_cast<std::byte>(stop);
  for (u32 worker = 1; worker < comm_.size(); ++worker)
    requests_.push_back(comm_.send({&stopped_, 1}, worker, comm::Tag::control));
}

bool StopWish::sent() {
  return std::all_of(requests_.begin(), requests_.end(), [](auto& request) { return request->test(); });
}

bool StopWish::agree(bool stopped) {
  constexpr u64 was_stopped = 1;
  constexpr u64 has_ordered = 2;
  u64 state = 0;
  if (comm_.root()) state = (stopped ? was_stopped : 0) | (ordered_ ? has_ordered : 0);
  state = comm_.all_max(state);
  if ((state & has_ordered) != 0 && !ordered_) receive_order({0, comm::Tag::control, 1});
  while (!sent()) comm_.progress();
  return (state & was_stopped) != 0;
}

void StopWish::receive_late(u32 worker) {
  if (!heard_[worker]) accept({worker, comm::Tag::stop, 1});
}

void StopWish::receive(std::byte& message, u32 from, comm::Tag tag) {
  const auto request = comm_.receive({&message, 1}, from, tag);
  while (!request->test()) comm_.progress();
}

}  // namespace h5score::run
