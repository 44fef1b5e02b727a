"""An index made beside the site's work, which is no transaction."""
