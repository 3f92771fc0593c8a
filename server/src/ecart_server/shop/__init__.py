"""The pages of the service for people; they stand on the HTTP contract as any client does."""
