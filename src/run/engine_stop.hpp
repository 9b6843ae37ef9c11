// How a wish to stop travels: from the rank that was asked to the root, and from the root to everybody. Only a run that
// is asked to stop sends any of these messages. Private to run.
#pragma once

#include "h5score/comm/communicator.hpp"
#include "h5score/run/engine.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace h5score::run {

using base::u32;

class StopWish {
 public:
  StopWish(comm::Communicator& comm, const EngineOptions& options) : comm_(comm), options_(options) {}
  StopWish(const StopWish&) = delete;
  StopWish& operator=(const StopWish&) = delete;

  // A worker's side.
  /// Tells the root as soon as this rank is asked to stop; once.
  void tell_root();
  /// Receives the root's message to end, which every worker gets at most once.
  void receive_order(const comm::Envelope& envelope);
  [[nodiscard]] bool ordered() const { return ordered_; }
  /// The message to end said: what is not begun is given back.
  [[nodiscard]] bool to_give_back() const { return stopped_ != std::byte{0}; }

  // The root's side.
  /// True if the message was a worker's wish, which is now received.
  bool accept(const comm::Envelope& envelope);
  /// Somebody wants the run to stop.
  [[nodiscard]] bool requested();
  /// Tells every worker to end, once: with `stop`, before what it has not begun.
  void order(bool stop);
  /// What order() sent has left.
  [[nodiscard]] bool sent();

  // After the loop, so that no message stays behind.
  /// Collective: nobody goes on before all are here. Gives everywhere whether the root's loop was stopped.
  bool agree(bool stopped);
  [[nodiscard]] bool told() const { return told_; }
  /// At the root: receives a wish that came too late, from a rank that has told().
  void receive_late(u32 worker);

 private:
  void receive(std::byte& message, u32 from, comm::Tag tag);

  comm::Communicator& comm_;
  const EngineOptions& options_;
  std::byte wish_{1};
  std::byte stopped_{0};  ///< the order
  bool told_ = false;     ///< a worker's wish is sent
  bool ordered_ = false;  ///< the order is sent, or has come
  bool wanted_ = false;   ///< the root knows of a wish
  std::vector<bool> heard_ = std::vector<bool>(comm_.size());
  std::vector<std::unique_ptr<comm::Request>> requests_;
};

}  // namespace h5score::run
