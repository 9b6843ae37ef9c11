// A name node for targets whose bytes are HDF5 files: the library may die of them, and then another one is started.
#pragma once

#include "h5score/h5/sandbox.hpp"

#include "target.hpp"

#include <optional>

namespace h5score::fuzz {

class NameNode {
 public:
  explicit NameNode(std::map<std::string, h5::Sandbox::Function> functions);

  /// Calls `use` with a living name node, as refusing() does. Throws std::logic_error where the file at `path` took
  /// more CPU time of the name node than a run may take.
  Outcome use(const std::string& path, const std::function<void(h5::Sandbox&)>& use);

 private:
  std::map<std::string, h5::Sandbox::Function> functions_;
  std::optional<h5::Sandbox> sandbox_;
  double cpu_seconds_ = 0;  // of the living name node
};

}  // namespace h5score::fuzz
