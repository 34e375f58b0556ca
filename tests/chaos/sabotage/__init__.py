"""An app that makes the processes of a system go wrong, switched by files in the folder that `SABOTAGE` names."""
