-- Says of the objects that there are whose they are. By itself, so that nothing waits for it but writes of the same objects.
-- Old code can run against it.

UPDATE object SET organization = organization_of(kind, key) WHERE organization IS NULL;
