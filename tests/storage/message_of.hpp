// What an action that has to fail says.
#pragma once

#include "h5score/base/error.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

/// The message of the base::Error that `action` throws; fails the test where its code is not `expected`, or where
/// nothing is thrown.
inline std::string message_of(const std::function<void()>& action, h5score::base::ExitCode expected) {
  try {
    action();
  } catch (const h5score::base::Error& error) {
    EXPECT_EQ(error.code(), expected) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}
