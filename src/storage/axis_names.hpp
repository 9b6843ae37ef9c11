// Names for dimension scales that only name an axis: they give way to datasets.
#pragma once

#include <set>
#include <string>

namespace h5score::storage {

class TakenNames {
 public:
  /// A dataset's path; the groups above it are taken, too.
  void take(const std::string& path) {
    for (auto end = path.find('/', 1); end != std::string::npos; end = path.find('/', end + 1))
      names_.insert(path.substr(0, end));
    names_.insert(path);
  }
  [[nodiscard]] std::string free_name(std::string name) const {
    while (names_.contains(name)) name += '_';
    return name;
  }

 private:
  std::set<std::string> names_;
};

}  // namespace h5score::storage
