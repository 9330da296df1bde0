"""Files that were sent to be imported, kept until an import has taken them."""

from servers.rag.uploads.uploads import UploadedFiles, Uploads

__all__ = ["UploadedFiles", "Uploads"]
