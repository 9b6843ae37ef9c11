# The steps of the test install.consumer; any that fails ends it. Paths have a space on purpose.
set(prefix "${WORK_DIR}/prefix")
set(build "${WORK_DIR}/build")
file(REMOVE_RECURSE "${WORK_DIR}")

function(step)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

if(SANITIZE)
  set(sanitize "-DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE}")
endif()
step(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix "${prefix}")
step(${CMAKE_COMMAND} -S ${CONSUMER_DIR} -B "${build}" -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
  "-DCMAKE_PREFIX_PATH=${prefix}" -DMPI_C_COMPILER=${MPI_C_COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER} ${sanitize})
step(${CMAKE_COMMAND} --build "${build}")
step("${build}/all_libraries")
step("${build}/consumer" "${build}/consumer-model.h5")
step("${prefix}/bin/h5score" --version)
