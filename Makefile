.PHONY: gen
export PATH := $(PATH)
gen:
	rm -rf gen/salambot gen/buf
	python -m grpc_tools.protoc -Iproto -Ithird_party/proto --python_out=gen --mypy_out=quiet:gen third_party/proto/buf/validate/validate.proto
	python -m grpc_tools.protoc -Iproto -Ithird_party/proto --python_out=gen --grpc_python_out=gen --mypy_out=quiet:gen --mypy_grpc_out=quiet:gen $$(find proto -name '*.proto' | sort)
