"""What the shop's and the operators' pages share: assets, templates, form tokens, formatting."""
